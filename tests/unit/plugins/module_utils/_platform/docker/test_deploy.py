# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deployer of containers, with prepared results of docker."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_docker import FakeDocker, docker_deployer, inspect_entry, ps_line, replace_docker

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker import (
    compose_up,
    deploy,
    docker_command,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.deploy import DockerDeployer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Port,
    Replacement,
    Workload,
)


def inspected(*entries: object) -> CommandResult:
    return CommandResult(0, json.dumps(entries), "")


def test_project_of_another_folder_is_refused() -> None:
    line = ps_line("demo", "a", folder="/other/folder")
    docker = FakeDocker(ps=CommandResult(0, line, ""), container=inspected(inspect_entry("a")))
    deployer = docker_deployer(docker)
    for step in (deployer.preflight, deployer.remove_all):
        with pytest.raises(
            PlatformRefused, match="project demo runs from the folder /other/folder, not from"
        ):
            step()
    assert not [one for one in docker.commands if "down" in one or "up" in one]


def test_stopped_container_is_started_and_new_one_created() -> None:
    docker = docker_of("a-network", "a", "b-network", "b", stopped=("b",))
    workloads = [Workload(name=name, image="i:1", command=("x",)) for name in ("a", "b", "new")]
    deployer = docker_deployer(docker, *workloads)
    deployer.preflight()
    expected = AppliedChanges(started=("b", "new"))
    assert deployer.predict("") == deployer.apply() == expected
    assert deployer.remove_unlisted() == AppliedChanges()
    assert [one.partition("--quiet-pull ")[2] for one in docker.commands if " up " in one] == [
        "--no-recreate"
    ]


def test_containers_of_a_stopped_holder_are_restarted() -> None:
    docker = docker_of("a-network", "a", "b-network", "b", stopped=("b-network",))
    workloads = [Workload(name=name, image="i:1", command=("x",)) for name in ("a", "b")]
    deployer = docker_deployer(docker, *workloads)
    deployer.preflight()
    entries = json.loads(docker.results["container"].stdout)
    assert deployer.predict("").replaced == {"b": "stop"}
    # Compose started the holder again, so that its network is a new one.
    entries[2]["State"] = {**entries[0]["State"], "StartedAt": "2026-01-01T00:00:09.1Z"}
    docker.results["container"] = inspected(*entries)
    assert deployer.apply().replaced == {"b": "stop"}
    assert [one for one in docker.commands if one.startswith("restart")] == ["restart id-of-b"]


def test_container_of_another_definition_is_made_again(tmp_path: Path) -> None:
    def label(service: str, digest: str) -> str:
        return f"meshlab.envoy.definition: {service}.{digest * 12}"

    (tmp_path / "compose.yaml").write_text(
        "\n".join([label("a", "1"), label("b", "1"), label("c-network", "2")])
    )
    docker = docker_of(*(f"{name}{end}" for name in "abc" for end in ("-network", "")), definition="1")
    docker.results["ps"] = CommandResult(
        0, docker.results["ps"].stdout.replace("/nonexistent", str(tmp_path)), ""
    )
    workloads = [Workload(name=name, image="i:1", command=("x",)) for name in "abc"]
    deployer = docker_deployer(docker, *workloads, folder=tmp_path)
    deployer.preflight()
    assert deployer.apply().replaced == {"c": "stop"}
    assert [one.partition("--quiet-pull ")[2] for one in docker.commands if " up " in one] == [
        "--force-recreate --no-deps c-network c",
        "--no-recreate",
    ]


def deployer_of_running_containers(folder: Path, docker: FakeDocker, *more: str) -> DockerDeployer:
    """Return a deployer of `a` and `b` whose containers have the definitions of the document, which has the services `more`, too."""
    services = [*(f"{name}{end}" for name in "ab" for end in ("-network", "")), *more]
    lines = [f"meshlab.envoy.definition: {one}.{'1' * 12}" for one in services]
    (folder / "compose.yaml").write_text("\n".join(lines))
    docker.results["ps"] = CommandResult(
        0, docker.results["ps"].stdout.replace("/nonexistent", str(folder)), ""
    )
    workloads = [Workload(name=name, image="i:1", command=("x",)) for name in "ab"]
    return docker_deployer(docker, *workloads, folder=folder)


def test_unchanged_containers_need_two_commands(tmp_path: Path) -> None:
    docker = docker_of("a-network", "a", "b-network", "b", definition="1")
    deployer = deployer_of_running_containers(tmp_path, docker)
    deployer.preflight()
    assert deployer.missing_images() == ()
    assert deployer.apply() == deployer.remove_unlisted() == AppliedChanges()
    deployer.wait_until_ready(0)
    assert sorted(one.split()[0] for one in docker.commands) == ["container", "ps"]


@pytest.mark.parametrize(
    ("state", "more", "definition"),
    [("restarting", (), "1"), ("running", ("c",), "1"), ("running", (), "")],
    ids=["a container restarts", "a service has no container", "no definition is known"],
)
def test_compose_runs_unless_all_containers_run(
    tmp_path: Path, state: str, more: tuple[str, ...], definition: str
) -> None:
    docker = docker_of("a-network", "a", "b-network", "b", definition=definition)
    entries = json.loads(docker.results["container"].stdout)
    entries[1]["State"]["Status"] = state
    docker.results["container"] = inspected(*entries)
    deployer = deployer_of_running_containers(tmp_path, docker, *more)
    deployer.preflight()
    deployer.apply()
    assert [one for one in docker.commands if " up " in one]


def test_containers_of_a_removed_holder_are_made_again() -> None:
    docker = docker_of("a", "b-network", "b")
    workloads = [Workload(name=name, image="i:1", command=("x",)) for name in "ab"]
    deployer = docker_deployer(docker, *workloads)
    deployer.preflight()
    assert deployer.apply().replaced == {"a": "stop"}
    assert [one.partition("--no-deps ")[2] for one in docker.commands if "--force-recreate" in one] == [
        "a-network a"
    ]


def test_run_without_definitions_takes_three_commands() -> None:
    docker = FakeDocker(
        ps=CommandResult(0, ps_line("demo", "a") + ps_line("demo", "a-network"), ""),
        container=inspected(
            inspect_entry("a", "a-network", Health={"Status": "healthy"}), inspect_entry("a-network")
        ),
    )
    deployer = docker_deployer(docker)
    deployer.preflight()
    assert deployer.missing_images() == ()
    assert not deployer.apply().changed
    deployer.wait_until_ready(1)
    assert deployer.remove_unlisted() == AppliedChanges()
    assert len(docker.commands) == 3


def replaced_by(docker: FakeDocker, *workloads: Workload) -> tuple[AppliedChanges, AppliedChanges]:
    """Return what a deployment starts and removes, with the containers that `docker` lists."""
    deployer = docker_deployer(docker, *workloads)
    deployer.preflight()
    applied = deployer.apply()
    return applied, deployer.remove_unlisted()


def generation(name: str, number: int, replacement: Replacement, **more: Any) -> Workload:
    return Workload(
        name=name, image="i:1", command=("x",), generation=number, replacement=replacement, **more
    )


def docker_of(*services: str, stopped: Sequence[str] = (), definition: str = "") -> FakeDocker:
    """Return a docker with containers that run, except those of `stopped`."""
    states = {service: "exited" if service in stopped else "running" for service in services}
    entries = []
    for service, state in states.items():
        holder = "" if service.endswith("-network") else f"{re.sub(r'-g[0-9]+$', '', service)}-network"
        labels = {"meshlab.envoy.definition": f"{service}.{definition * 12}"} if definition else {}
        entries.append(inspect_entry(service, holder, labels, Status=state))
    ps = "".join(ps_line("demo", service, state) for service, state in states.items())
    return FakeDocker(ps=CommandResult(0, ps, ""), container=inspected(*entries))


def test_new_envoy_takes_over_and_ends_the_previous_one() -> None:
    docker = docker_of("edge-network", "edge")
    applied, removed = replaced_by(docker, generation("edge", 1, "hot_restart"))
    assert applied == AppliedChanges(restarted=("edge",), replaced={"edge": "hot_restart"})
    # The previous generation is no workload that was removed, and its successor ends it.
    assert removed == AppliedChanges()
    changing = [one for one in docker.commands if one.startswith(("compose --ansi", "update", "stop", "rm"))]
    assert [one.split()[0] for one in changing] == ["update", "compose"]
    assert changing[0] == "update --restart no id-of-edge"


def test_previous_generation_with_the_ports_of_its_holder_stays() -> None:
    """Podman lists the published ports of a holder with each container in it."""
    docker = docker_of("edge-network", "edge")
    lines = [ps_line("demo", one, ports="127.0.0.1:8080->80/tcp") for one in ("edge-network", "edge")]
    docker.results["ps"] = CommandResult(0, "".join(lines), "")
    workload = generation("edge", 1, "hot_restart", ports=(Port(80, 8080),))
    with closing(docker_deployer(docker, workload)) as deployer:
        deployer.preflight()
        assert deployer.apply().replaced == {"edge": "hot_restart"}
    assert not [one for one in docker.commands if one.startswith(("stop", "rm"))]


def test_ended_parent_is_removed_with_the_next_run() -> None:
    docker = docker_of("edge-network", "edge", "edge-g1", stopped=("edge",))
    applied, removed = replaced_by(docker, generation("edge", 1, "hot_restart"))
    assert (applied, removed) == (AppliedChanges(), AppliedChanges())
    assert "rm --force --volumes id-of-edge" in docker.commands


def test_envoy_without_a_successor_is_stopped() -> None:
    """Generation 1 was never started, so that nothing ends generation 0."""
    docker = docker_of("edge-network", "edge", "edge-g2")
    replaced_by(docker, generation("edge", 2, "hot_restart"))
    assert "stop id-of-edge" in docker.commands


def test_envoy_with_the_sockets_of_the_new_one_is_stopped_first() -> None:
    docker = docker_of("edge-network", "edge", "edge-g2")
    replaced_by(docker, generation("edge", 3, "hot_restart"))
    assert docker.commands.index("stop id-of-edge") < [" up " in one for one in docker.commands].index(True)
    assert "stop id-of-edge-g2" not in docker.commands


def test_removal_stops_the_newest_generations_first() -> None:
    docker = docker_of("edge-network", "edge", "edge-g1", "edge-g2", "web-1", "web-1-g1")
    docker_deployer(docker).remove_all()
    stops = [one for one in docker.commands if one.startswith("stop")]
    assert (sorted(stops[:2]), stops[2:]) == (
        ["stop id-of-edge-g2", "stop id-of-web-1-g1"],
        ["stop id-of-edge-g1"],
    )


@pytest.mark.parametrize(
    ("versions", "how"), [(("11.104", "11.105"), "stop"), (("11.104", "11.104"), "hot_restart")]
)
def test_envoy_of_another_hot_restart_version_is_stopped_first(versions: tuple[str, str], how: str) -> None:
    docker = docker_of("edge-network", "edge")

    class Images(FakeDocker):
        def __call__(self, command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
            answer = super().__call__(command, timeout, stdin)
            if command[1] != "run":
                return answer
            # Envoy prints the version to the standard error.
            return CommandResult(0, "", versions[command[-2] == "i:2"])

    images = Images(**docker.results)
    workload = generation("edge", 1, "hot_restart")
    command = ("envoy", "--base-id", "0", "--restart-epoch", "1")
    deployer = docker_deployer(images, replace(workload, image="i:2", command=command, user="101:101"))
    deployer.preflight()
    assert deployer.apply().replaced == {"edge": how}
    words = (
        "edge: the running Envoy cannot hand over to i:2: their hot-restart versions are 11.104 and 11.105."
    )
    assert [words in one for one in deployer.warnings] == ([True] if how == "stop" else [])
    removed = "exec --user 101:101 demo-edge-network-1 rm -f /dev/shm/envoy_shared_memory_0"
    changing = [
        one.split()[0] for one in images.commands if one == removed or " up " in one or one.startswith("stop")
    ]
    assert changing == (["stop", "exec", "compose"] if how == "stop" else ["compose"])


def test_program_that_cannot_run_twice_is_stopped_first() -> None:
    docker = docker_of("edge-network", "edge")
    applied, _removed = replaced_by(docker, generation("edge", 1, "stop"))
    assert applied.replaced == {"edge": "stop"}
    changing = [one.split()[0] for one in docker.commands if one.startswith(("compose --ansi", "stop", "rm"))]
    assert changing == ["stop", "compose", "stop", "rm"]


@pytest.mark.parametrize("replacement", ["stop", "overlap", "hot_restart"])
def test_replicas_are_replaced_one_after_another(
    monkeypatch: pytest.MonkeyPatch, replacement: Replacement
) -> None:
    waits: list[list[str]] = []
    monkeypatch.setattr(
        compose_up.DockerReadiness, "wait", lambda _self, _timeout, _seen, names: waits.append([*names])
    )
    docker = docker_of("web-1-network", "web-2-network", "web-1", "web-2", "edge-network")
    replicas = [generation(name, 1, replacement, group="web") for name in ("web-1", "web-2")]
    applied, _removed = replaced_by(docker, *replicas, generation("edge", 1, "overlap"))
    assert applied.restarted == ("web-1", "web-2")
    ups = [one.partition("--quiet-pull ")[2] for one in docker.commands if " up " in one]
    assert ups == [
        "--no-recreate --no-deps edge-network edge-g1 web-1-network web-1-g1",
        "--no-recreate --no-deps web-2-network web-2-g1",
    ]
    assert waits == [["edge", "web-1"]]
    # A new Envoy ends its parent while later waves start: Docker must not start the parent again.
    ended = [one for one in docker.commands if " up " in one or one.startswith("update")]
    expected = ["update --restart no id-of-web-1", "compose", "update --restart no id-of-web-2", "compose"]
    found = [one.split()[0] if " up " in one else one for one in ended]
    assert found == (expected if replacement == "hot_restart" else ["compose", "compose"])


def test_many_containers_start_in_parts_and_holders_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_up, "AT_ONCE", 3)
    docker = docker_of("web-1-network", "web-1")
    names = ("web-1", "web-2", "web-3")
    replaced_by(docker, *(generation(name, 0, "overlap", group="web") for name in names))
    ups = [one.partition("--quiet-pull ")[2] for one in docker.commands if " up " in one]
    assert ups == [
        "--no-recreate --no-deps web-2-network web-3-network web-2",
        "--no-recreate --no-deps web-3",
        "--no-recreate",
    ]


def test_holders_of_replicas_are_replaced_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_up.DockerReadiness, "wait", lambda *_arguments: None)
    docker = docker_of("web-1-network", "web-2-network", "web-1", "web-2", definition="1")
    workloads = [generation(name, 0, "overlap", group="web") for name in ("web-1", "web-2")]
    deployer = docker_deployer(docker, *workloads)
    deployer.preflight()
    document = "\n".join(f"meshlab.envoy.definition: web-{number}-network.{'2' * 12}" for number in (1, 2))
    deployer._up.run(document)
    assert [one.partition("--no-deps ")[2] for one in docker.commands if "--force-recreate" in one] == [
        "web-1-network web-1",
        "web-2-network web-2",
    ]


def test_removal_is_repeated_while_containers_leave_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_command, "FIRST_PAUSE", 0.001)
    docker = FakeDocker(ps=CommandResult(0, ps_line("demo", "a"), ""))
    active = CommandResult(
        1, "", "error while removing network: network demo_default id 1 has active endpoints"
    )
    late = CommandResult(
        1, "", "cannot stop container: 4f: tried to kill container, but did not receive an exit event"
    )
    answers = [active, late, active, CommandResult(0, "", "")]

    def run(command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
        return answers.pop(0) if "down" in command else docker(command, timeout, stdin)

    deployer = docker_deployer(docker)
    replace_docker(deployer.docker, run)
    assert deployer.remove_all() == ("a",)
    assert answers == []


def test_other_errors_of_a_removal_are_not_repeated() -> None:
    docker = FakeDocker(ps=CommandResult(0, ps_line("demo", "a"), ""))
    docker.results["compose"] = CommandResult(1, "", "no space left on device")
    with pytest.raises(PlatformFailed, match="`docker compose down` fails: no space left on device"):
        docker_deployer(docker).remove_all()
    assert len([one for one in docker.commands if " down " in one]) == 1


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (
            CommandResult(1, "", "docker: 'compose' is not a docker command.\nSee 'docker --help'"),
            "Install docker compose 2.20 or newer",
        ),
        (CommandResult(0, "2.5.1\n", ""), "docker compose is 2.5.1. Install 2.20 or newer"),
    ],
)
def test_missing_or_old_compose_is_unavailable(result: CommandResult, text: str) -> None:
    with pytest.raises(PlatformUnavailable, match=text):
        docker_deployer(FakeDocker(compose=result)).preflight()


def test_port_of_the_same_project_is_accepted() -> None:
    workload = Workload(name="a", image="i:1", command=("x",), ports=(Port(80, 1),))
    line = ps_line("demo", "a", ports="127.0.0.1:1->80/tcp")
    with closing(docker_deployer(FakeDocker(ps=CommandResult(0, line, "")), workload)) as deployer:
        deployer.preflight()


def test_port_of_another_project_is_refused() -> None:
    workload = Workload(name="a", image="i:1", command=("x",), ports=(Port(80, 2),))
    line = ps_line("else", "b", ports="0.0.0.0:2->80/tcp")
    with (
        closing(docker_deployer(FakeDocker(ps=CommandResult(0, line, "")), workload)) as deployer,
        pytest.raises(PlatformRefused, match=r"port 2 of a is used by container else-b-1\. Stop it"),
    ):
        deployer.preflight()


def test_used_port_is_refused_when_one_look_outlasts_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine, `docker ps` takes longer than a container that starts again has for its ports."""
    monkeypatch.setattr(deploy, "SETTLING_SECONDS", 0.01)

    class SlowDocker(FakeDocker):
        def __call__(self, command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
            time.sleep(0.02)
            return super().__call__(command, timeout, stdin)

    workload = Workload(name="a", image="i:1", command=("x",), ports=(Port(80, 2),))
    lines = ps_line("demo", "a") + ps_line("else", "b", ports="0.0.0.0:2->80/tcp")
    with (
        closing(docker_deployer(SlowDocker(ps=CommandResult(0, lines, "")), workload)) as deployer,
        pytest.raises(PlatformRefused, match=r"port 2 of a is used by container else-b-1\. Stop it"),
    ):
        deployer.preflight()


def test_image_that_cannot_be_pulled_is_refused() -> None:
    docker = FakeDocker(
        image=CommandResult(1, "", "No such image"),
        pull=CommandResult(1, "", "Error response from daemon: manifest unknown"),
    )
    deployer = docker_deployer(docker)
    deployer.preflight()
    assert deployer.missing_images() == ("i:1",)
    with pytest.raises(PlatformRefused, match=r"i:1: .*Docker prints: .*manifest unknown"):
        deployer.pull_images(("i:1",))


@pytest.mark.parametrize(
    ("last_line", "text"),
    [
        (
            "Error response from daemon: driver failed: Bind for 127.0.0.1:80 failed: port is already allocated",
            r"A port was taken meanwhile\. .*Docker prints: driver failed: .*port is already allocated",
        ),
        ("service a failed to build", "`docker compose up` fails: service a failed to build. Run again"),
    ],
)
def test_failed_up_shows_the_text_of_docker(last_line: str, text: str) -> None:
    docker = FakeDocker()
    deployer = docker_deployer(docker)
    deployer.preflight()
    docker.results["compose"] = CommandResult(1, "", f" Container demo-a-1  Starting\n{last_line}")
    with pytest.raises(PlatformFailed, match=text):
        deployer.apply()
