# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""compose.yaml as data. tests/integration/test_deploy_docker.py compares it with the output of `docker compose config`."""

from __future__ import annotations

from dataclasses import replace
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
    assert (service["mem_limit"], service["cpus"], service["pids_limit"]) == ("64m", 0.5, 1024)
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


def test_holder_has_the_ports_and_names_of_its_instance() -> None:
    services = _services(
        _workload(
            "app", network="proxy", ports=(Port(80, 8080), Port(81)), aliases=("app-1",), hostname="front"
        ),
        _workload("proxy", ports=(Port(9901, 9901, "udp"),), aliases=("proxy", "front"), hostname="front"),
    )
    assert list(services) == ["front-network", "app", "proxy"]
    holder = services["front-network"]
    assert holder["ports"] == ["127.0.0.1:8080:80", "127.0.0.1:9901:9901/udp"]
    assert holder["networks"] == {"default": {"aliases": ["app-1", "front", "proxy"]}}
    assert (holder["hostname"], holder["ipc"]) == ("front", "shareable")
    for name in ("app", "proxy"):
        assert services[name]["network_mode"] == "service:front-network"
        assert services[name]["depends_on"] == {
            "front-network": {"condition": "service_started", "restart": True}
        }
        assert not {"ports", "networks", "hostname", "sysctls", "extra_hosts"} & {*services[name]}


def test_holder_runs_a_wait_without_privileges() -> None:
    holder = _services(_workload(image="app:1", holder_image="python:3"), _workload("other"))["app-network"]
    assert (holder["image"], holder["entrypoint"], holder["command"]) == ("python:3", ["sleep"], ["infinity"])
    assert (holder["user"], holder["cap_drop"], holder["read_only"]) == ("65534:65534", ["ALL"], True)
    assert (holder["pids_limit"], holder["mem_limit"]) == (16, "32m")
    # A wait that is process 1 ignores SIGTERM, so that each stop would take ten seconds.
    assert holder["stop_signal"] == "SIGKILL"


def test_holder_does_not_depend_on_what_changes_live() -> None:
    """A holder that differs is replaced, which interrupts its instance."""

    def holder(*workloads: Workload) -> Any:
        return _services(*workloads)["web-1-network"]

    app = _workload("web-1", hostname="web-1", aliases=("web-1",), ports=(Port(8080, 18080), Port(1, 2)))
    sidecar = _workload("web-1-envoy", hostname="web-1", aliases=("web-1",), ports=app.ports)
    joined = _workload("web-1", hostname="web-1", network="web-1-envoy", generation=2, digest="1")
    assert holder(app) == holder(sidecar, joined) == holder(joined, sidecar)
    assert holder(app) == holder(replace(app, ports=app.ports[::-1], generation=3, command=("other",)))
    assert holder(app) == holder(replace(app, ports=(*app.ports, Port(80))))
    assert holder(app) != holder(replace(app, ports=(*app.ports, Port(80, 80))))


def test_generation_is_a_service_of_its_own_in_the_same_holder() -> None:
    services = _services(_workload("edge", generation=2, replacement="hot_restart"))
    assert list(services) == ["edge-network", "edge-g2"]
    edge = services["edge-g2"]
    assert edge["network_mode"] == edge["ipc"] == "service:edge-network"
    assert edge["labels"]["meshlab.envoy.workload"] == "edge"


def test_only_hot_restarts_share_memory() -> None:
    services = _services(
        _workload("app", replacement="overlap", ports=(Port(81), Port(80), Port(9, 9, "udp")))
    )
    assert "ipc" not in services["app"]
    assert services["app"]["labels"]["meshlab.envoy.ports"] == "80,81"


def test_chain_of_shared_networks_ends_at_one_holder() -> None:
    services = _services(
        _workload("a", network="b", ports=(Port(1, 1),)), _workload("b", network="c"), _workload("c")
    )
    assert {services[name]["network_mode"] for name in "abc"} == {"service:c-network"}
    assert services["c-network"]["ports"] == ["127.0.0.1:1:1"]


def test_name_of_a_holder_is_refused_for_a_workload() -> None:
    with pytest.raises(WorkloadError, match="workload a: the container of its network is named a-network"):
        _services(_workload("a"), _workload("a-network"))


def test_ipv6_address_is_in_brackets() -> None:
    assert _services(_workload(ports=(Port(1, 2),)), bind="::1")["app-network"]["ports"] == ["[::1]:2:1"]


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
    services = _services(_workload("a", after=("z",)), _workload("z"))
    assert list(services) == ["a-network", "z-network", "z", "a"]
    # Of the holder, whose name is the same for each generation, so that a new one changes nothing here.
    assert list(services["a"]["depends_on"]) == ["z-network", "a-network"]


def test_existing_network_is_joined() -> None:
    document = compose("demo", [_workload()], "127.0.0.1", "existing")
    assert document["networks"] == {"default": {"name": "existing", "external": True}}
    assert "networks" not in compose("demo", [_workload()], "127.0.0.1")


def test_missing_image_is_refused() -> None:
    with pytest.raises(WorkloadError, match="workload app: has no image"):
        _services(_workload(image=""))


def test_port_below_1024_needs_no_capability() -> None:
    holder = _services(_workload(ports=(Port(80, 8080),)))["app-network"]
    assert holder["sysctls"] == {"net.ipv4.ip_unprivileged_port_start": 0}
    assert holder["extra_hosts"] == ["host.docker.internal:host-gateway"]


@pytest.mark.parametrize(("selinux_relabel", "bind"), [(False, {}), (True, {"selinux": "z"})])
def test_mounts_are_relabelled_only_with_the_option(selinux_relabel: bool, bind: dict[str, str]) -> None:
    workload = _workload(mounts=(Mount("edge", "/etc/envoy"), Mount("edge/run", "/run/envoy", writable=True)))
    document = compose("demo", [workload], "127.0.0.1", selinux_relabel=selinux_relabel)
    volumes = document["services"]["app"]["volumes"]
    assert [volume["bind"] for volume in volumes] == [{"create_host_path": False, **bind}] * 2
