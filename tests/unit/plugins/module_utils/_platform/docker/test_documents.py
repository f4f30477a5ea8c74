# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""compose.yaml as data. tests/integration/test_deploy_docker.py compares it with the output of `docker compose config`."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
    WorkloadError,
)


def _workload(name: str = "app", **more: Any) -> Workload:
    return Workload(
        **{"name": name, "image": "image:1", "command": ("python3", "app.py"), "user": "101:101", **more}
    )


def _services(*workloads: Workload, bind: str = "127.0.0.1") -> dict[str, Any]:
    services: dict[str, Any] = compose("demo", workloads, bind)["services"]
    return services


def test_container_has_no_privileges() -> None:
    service = _services(_workload(memory_mb=64, cpus=0.5))["app"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "101:101"
    assert (service["mem_limit"], service["cpus"]) == ("64m", 0.5)
    assert service["logging"]["options"] == {"max-size": "1m", "max-file": "3"}


def test_command_replaces_the_entrypoint_of_the_image() -> None:
    service = _services(_workload())["app"]
    assert (service["entrypoint"], service["command"]) == (["python3"], ["app.py"])
    assert "command" not in _services(_workload(command=("/bin/app",)))["app"]


def test_unset_fields_are_omitted() -> None:
    service = _services(_workload())["app"]
    for key in (
        "init",
        "working_dir",
        "volumes",
        "ports",
        "networks",
        "healthcheck",
        "depends_on",
        "hostname",
        "mem_limit",
        "stop_signal",
    ):
        assert key not in service


def test_dollar_signs_are_escaped() -> None:
    probe = Probe("http", 80, "/", ("sh", "-c", "echo $$"))
    service = _services(_workload(command=("$a", "$b"), environment={"K": "${c}"}, probe=probe))["app"]
    assert (service["entrypoint"], service["command"], service["environment"]) == (
        ["$$a"],
        ["$$b"],
        {"K": "$${c}"},
    )
    assert service["healthcheck"]["test"] == ["CMD", "sh", "-c", "echo $$$$"]


def test_health_check_works_on_old_engines() -> None:
    check = _services(_workload(probe=Probe("tcp", 80, command=("true",))))["app"]["healthcheck"]
    assert "start_interval" not in check
    assert check["start_period"]


def test_network_owner_publishes_ports_and_names_of_sharers() -> None:
    services = _services(
        _workload(
            "app", network="proxy", ports=(Port(80, 8080), Port(81)), aliases=("app-1",), hostname="app"
        ),
        _workload("proxy", ports=(Port(9901, 9901, "udp"),), aliases=("proxy", "front"), hostname="front"),
    )
    assert services["app"]["network_mode"] == "service:proxy"
    assert services["app"]["depends_on"] == {"proxy": {"condition": "service_started", "restart": True}}
    assert not {"ports", "networks", "hostname"} & set(services["app"])
    assert services["proxy"]["ports"] == ["127.0.0.1:8080:80", "127.0.0.1:9901:9901/udp"]
    assert services["proxy"]["networks"] == {"default": {"aliases": ["app-1", "front"]}}
    assert services["proxy"]["hostname"] == "front"


def test_chain_of_shared_networks_ends_at_the_owner() -> None:
    services = _services(
        _workload("a", network="b", ports=(Port(1, 1),)), _workload("b", network="c"), _workload("c")
    )
    assert {services["a"]["network_mode"], services["b"]["network_mode"]} == {"service:c"}
    assert list(services["a"]["depends_on"]) == ["c"]
    assert services["c"]["ports"] == ["127.0.0.1:1:1"]


def test_ipv6_address_is_in_brackets() -> None:
    assert _services(_workload(ports=(Port(1, 2),)), bind="::1")["app"]["ports"] == ["[::1]:2:1"]


def test_mounts_are_relative_and_not_created() -> None:
    mounts = (Mount("edge", "/etc/edge"), Mount("edge/run", "/etc/edge/run", writable=True))
    config, run = _services(_workload(mounts=mounts))["app"]["volumes"]
    assert (config["source"], config["read_only"]) == ("./edge", True)
    assert (run["source"], run["read_only"]) == ("./edge/run", False)
    assert config["bind"] == run["bind"] == {"create_host_path": False}


def test_other_digest_changes_the_service() -> None:
    one, other = (_services(_workload(digest=digest)) for digest in ("1", "2"))
    assert one != other


def test_services_are_in_start_order() -> None:
    assert list(_services(_workload("a", after=("z",)), _workload("z"))) == ["z", "a"]


def test_existing_network_is_joined() -> None:
    document = compose("demo", [_workload()], "127.0.0.1", "existing")
    assert document["networks"] == {"default": {"name": "existing", "external": True}}
    assert "networks" not in compose("demo", [_workload()], "127.0.0.1")


def test_missing_image_is_refused() -> None:
    with pytest.raises(WorkloadError, match="workload app: has no image"):
        _services(_workload(image=""))


def test_port_below_1024_needs_no_capability() -> None:
    service = _services(_workload(ports=(Port(80, 8080),)))["app"]
    assert service["sysctls"] == {"net.ipv4.ip_unprivileged_port_start": 0}
    assert "sysctls" not in _services(_workload(ports=(Port(8080, 80),)))["app"]


def test_owner_of_a_network_has_its_sysctls_and_hosts() -> None:
    services = _services(_workload(), _workload("envoy", network="app", ports=(Port(80),)))
    assert services["app"]["sysctls"] == {"net.ipv4.ip_unprivileged_port_start": 0}
    assert services["app"]["extra_hosts"] == ["host.docker.internal:host-gateway"]
    assert not {"sysctls", "extra_hosts"} & services["envoy"].keys()


@pytest.mark.parametrize(("selinux_relabel", "bind"), [(False, {}), (True, {"selinux": "z"})])
def test_mounts_are_relabelled_only_with_the_option(selinux_relabel: bool, bind: dict[str, str]) -> None:
    workload = _workload(mounts=(Mount("edge", "/etc/envoy"), Mount("edge/run", "/run/envoy", writable=True)))
    document = compose("demo", [workload], "127.0.0.1", selinux_relabel=selinux_relabel)
    volumes = document["services"]["app"]["volumes"]
    assert [volume["bind"] for volume in volumes] == [{"create_host_path": False, **bind}] * 2
