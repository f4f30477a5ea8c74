# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A platform that is defined outside the package plans the whole gallery."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Documents, Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import PLANNERS
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

DEMOS = Path(__file__).resolve().parents[5] / "playbooks" / "demos"
GALLERY = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(DEMOS.glob("*.yml"))
}
CONTEXT: dict[str, Any] = {
    "platform": "microvm",
    "folder": "/state",
    "envoy": {"version": "1.40.0", "image": "envoy:1", "executable": "envoy"},
    "python": {"image": "python:3", "executable": "python3"},
    "statsd_exporter": {"image": "exporter:1"},
    "app": "print('app')",
    "mappings": {"dog_statsd": {}, "statsd": {}},
}


class MicrovmPlatform(Platform):
    """Virtual machines without DNS: each instance has an IP address, and one JSON file describes all machines of a host."""

    def host_name(self, group: str, replica: int) -> str:
        instances = [one.name for known, _port in self.ports for one in self.instances(known)]
        number = list(dict.fromkeys(instances)).index(self._network_owner(group, replica).name)
        return f"10.0.0.{number + 1}"

    def _network_owner(self, group: str, replica: int) -> Instance:
        return self.exporter_instance() if group == "statsd_exporter" else self.instance(group, replica)

    def documents(
        self, host: str, workloads: Sequence[Workload], files: Sequence[File], certificates: Sequence[str]
    ) -> Documents:
        machines = {one.name: {"disk": one.image, "run": one.command} for one in workloads}
        return Documents(
            (File("machines.json", json.dumps(machines), host=host),), (), ("microvm machines.json",)
        )


def plan(name: str, **context: Any) -> Any:
    return make_plan(name, GALLERY[name], {**CONTEXT, **context}, platforms={"microvm": MicrovmPlatform})


def test_microvm_is_no_platform_of_the_collection() -> None:
    assert "microvm" not in PLANNERS


@pytest.mark.parametrize("name", GALLERY)
def test_toy_platform_plans_the_gallery(name: str) -> None:
    found = plan(name)
    files = {one["path"]: one["content"] for one in found["files"]}
    assert json.loads(files["machines.json"]).keys() == {one["name"] for one in found["workloads"]}
    assert found["commands"] == ["microvm machines.json"]
    assert found["assertions"] or not GALLERY[name]["expectations"]
    assert json.loads(json.dumps(found)) == found


def test_toy_platform_decides_the_addresses_of_clusters() -> None:
    files = {one["path"]: one["content"] for one in plan("front_proxy")["files"]}
    endpoints = [
        endpoint["endpoint"]["address"]["socket_address"]["address"]
        for cluster in yaml.safe_load(files["edge/clusters.yaml"])["resources"]
        for locality in cluster["load_assignment"]["endpoints"]
        for endpoint in locality["lb_endpoints"]
    ]
    assert endpoints
    assert all(address.startswith("10.0.0.") for address in endpoints)


def test_demo_can_name_the_toy_platform_as_unsupported() -> None:
    data = {**GALLERY["front_proxy"], "unsupported_on": {"microvm": "it has no network"}}
    with pytest.raises(
        ValueError, match="unsupported_on: the demo does not run on microvm: it has no network"
    ):
        make_plan("front_proxy", data, CONTEXT, platforms={"microvm": MicrovmPlatform})


def test_unknown_platform_is_refused() -> None:
    with pytest.raises(ValueError, match="context: platform: unknown platform 'microvm'"):
        make_plan("front_proxy", GALLERY["front_proxy"], CONTEXT)
