# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role deployment, included by a playbook of a user."""

from __future__ import annotations

from pathlib import Path

import pytest
from live import Home

PLAYBOOK = """
- hosts: envoy_hosts
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: meshlab.envoy.deployment}
      vars: {deployment_replicas: {shop: "{{ item }}"}}
      loop: [1, "{{ many }}"]
    - ansible.builtin.debug:
        msg: "it runs {{ deployment_plan.workloads | map(attribute='name') | sort | join(' ') }}"
  vars:
    deployment_demo_name: shop
    deployment_demo: {summary: A shop, ports: 20000, services: {shop: {app: {}}}}
"""


@pytest.mark.parametrize("injected", ["True", "False"])
def test_each_inclusion_plans_its_own_demo(tmp_path: Path, injected: str) -> None:
    book = tmp_path / "shop.yml"
    book.write_text(PLAYBOOK, encoding="utf-8")
    home = Home("local")
    home.environment |= {
        # As in AWX: facts are cached beyond the run.
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts"),
        "ANSIBLE_INJECT_FACT_VARS": injected,
    }
    try:
        for many in (2, 3):
            ran = home.play(str(book), "--check", many=many)
            assert f"it runs {' '.join(f'shop-{number + 1}' for number in range(many))}" in ran.words
    finally:
        home.close()
