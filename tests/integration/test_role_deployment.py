# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role deployment, included by a playbook of a user."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from live import PYTHON_IMAGE, Home

PLAYBOOK = """
- hosts: envoy_hosts
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: meshlab.envoy.deployment}
      vars: {deployment_replicas: {shop: "{{ item }}"}}
      loop: [1, "{{ many }}"]
    # It plans nothing, so the plan of the shop stays.
    - ansible.builtin.include_role: {name: meshlab.envoy.deployment}
      vars: {deployment_demo_name: other, deployment_state: absent}
    - ansible.builtin.debug:
        msg: "it runs {{ deployment_plan.workloads | map(attribute='name') | sort | join(' ') }}"
  vars:
    deployment_demo_name: shop
    deployment_demo: {summary: A shop, ports: 20000, services: {shop: {app: {}}}}
"""

# The roles of programs set images for the inclusion of this playbook, and host_vars for one host.
IMAGES = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: meshlab.envoy.deployment, tasks_from: plan}
      vars: {envoy_image_version: "{{ item }}"}
      loop: ["1.39.0", "1.40.0"]
    - ansible.builtin.include_role: {name: meshlab.envoy.demo_app, tasks_from: facts}
    - ansible.builtin.debug:
        msg: "{{ inventory_hostname }} has {{ deployment_plan.workloads | map(attribute='image') | sort | unique | join(' ') }}."
    - ansible.builtin.debug:
        msg: "{{ inventory_hostname }} builds {{ demo_app_artifacts.image }}."
  vars:
    deployment_platform: docker
    deployment_demo_name: shop
    deployment_demo: {summary: A shop, ports: 20000, services: {shop: {app: {}, sidecar: {}}}}
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
        # Variables of a role then stay in the role.
        "ANSIBLE_PRIVATE_ROLE_VARS": str(injected == "False"),
    }
    try:
        for many in (2, 3):
            ran = home.play(str(book), "--check", many=many)
            assert f"it runs {' '.join(f'shop-{number + 1}' for number in range(many))}" in ran.words
    finally:
        home.close()


def test_images_are_those_of_each_host_and_inclusion(tmp_path: Path) -> None:
    book, inventory = tmp_path / "images.yml", tmp_path / "hosts.yml"
    book.write_text(IMAGES, encoding="utf-8")
    own = {"envoy_image_repository": "own/envoy", "demo_app_image_source": "build"}
    hosts = {"web1": {"ansible_connection": "local"}, "web2": {"ansible_connection": "local", **own}}
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
    home = Home("docker")
    home.inventory = str(inventory)
    try:
        printed = home.play(str(book)).words
    finally:
        home.close()
    assert f"web1 has envoyproxy/envoy:v1.40.0 {PYTHON_IMAGE}." in printed
    # The plan has the tag that the build gives the image.
    [built] = set(re.findall(r"web2 builds (\S+)\.", printed))
    assert re.fullmatch(r"meshlab/demo_app:[0-9a-f]{12}", built)
    assert f"web2 has {built} own/envoy:v1.40.0." in printed
