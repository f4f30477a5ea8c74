# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks take the demo, the platform and all other settings from the inventory, from group_vars and from host_vars."""

from __future__ import annotations

from pathlib import Path

import yaml
from live import Home

HOSTS = {
    "envoy_hosts": {
        "hosts": {"web1": {"demo": "gzip"}, "web2": {}, "web3": {"deployment_python": {"image": "python:3.12-slim"}}},
        "vars": {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "deployment_platform": "docker",
        },
    }
}  # fmt: skip
GROUP_VARS = {"demo": "service_envoy", "envoy_image_version": "1.36.4", "statsd_exporter_version": "0.29.0"}
HOST_VARS = {
    "demo": "front_proxy",
    "demo_app_image_source": "build",
    "demo_app_image_tag": "7",
    "deployment_replicas": {"service1": 2},
}


def test_settings_of_the_inventory_take_effect(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory"
    contents = {
        "hosts.yml": HOSTS,
        "group_vars/envoy_hosts.yml": GROUP_VARS,
        "host_vars/web2.yml": HOST_VARS,
        "host_vars/web3.yml": {"deployment_envoy": {"image": "envoy:custom"}},
    }
    for name, content in contents.items():
        (inventory / name).parent.mkdir(parents=True, exist_ok=True)
        (inventory / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    home = Home("docker")
    home.inventory = str(inventory)
    try:
        # A template, which each host renders for itself.
        home.play("render", render_to=str(tmp_path / "{{ inventory_hostname }}"))
    finally:
        home.close()

    def images(host: str) -> dict[str, str]:
        compose = yaml.safe_load((tmp_path / host / "compose.yaml").read_text(encoding="utf-8"))
        return {name: service["image"] for name, service in compose["services"].items()}

    gzip = images("web1")
    assert "statsd_exporter" not in gzip
    assert set(gzip.values()) == {"envoyproxy/envoy:v1.36.4", "python:3.11-slim-bookworm"}

    scaled = images("web2")
    assert scaled["service1-1"] == scaled["service1-2"] == "meshlab/demo_app:7"

    assert set(images("web3").values()) == {
        "envoy:custom",
        "python:3.12-slim",
        "prom/statsd-exporter:v0.29.0",
    }


def test_change_of_the_inventory_is_verified(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    hosts = {"localhost": {"deployment_change": "no_such_change", "ansible_connection": "local"}}
    inventory.write_text(yaml.safe_dump({"envoy_hosts": {"hosts": hosts}}), encoding="utf-8")
    home = Home("local")
    home.inventory = str(inventory)
    try:
        assert "no_such_change" in home.play("verify", ok=False).error
    finally:
        home.close()


def test_tags_choose_the_programs_to_provide(tmp_path: Path) -> None:
    home = Home("local")
    home.variables["deployment_cache"] = str(tmp_path / "cache")  # without programs
    provided = {"Provide Envoy", "Provide supervisor"}
    try:
        demo = home.demo("front_proxy")
        only = home.play("site", "--check", "--tags", "envoy_image", demo=demo).tasks
        other = home.play("site", "--check", "--skip-tags", "envoy_image,verify", demo=demo).tasks
    finally:
        home.close()
    assert provided & set(only) == {"Provide Envoy"}, only
    assert "meshlab.envoy.envoy_image : Local | Run envoy --version" in only, only
    assert provided & set(other) == {"Provide supervisor"}, other
    assert "meshlab.envoy.deployment : Supervisor | Look for supervisord" in other, other
