# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test lab's command line: up, down, status, with, kubectl, sshd, statsd-exporter. See README.md."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lablib import artefacts, debian, docker, kubernetes, machine, node, registry, sshd
from lablib.base import (
    CACHE,
    ENV_FILE,
    STATE,
    LabError,
    environment_with,
    export_lines,
    locked,
    say,
    write_whole,
)

_MARK = STATE / "made-by-meshlab-lab"
#: what the lab can bring up; the first is not needed by the second, but fills the registry for it
PARTS = ("docker", "kubernetes")


def claim_state() -> None:
    """Mark the folder that `down` will remove; never one that holds something else."""
    if STATE.exists() and any(STATE.iterdir()) and not _MARK.exists():
        raise LabError(
            f"{STATE} holds something else than a lab: set MESHLAB_LAB_STATE to a folder that is free."
        )
    write_whole(_MARK, "tests/lab/down removes this folder.\n")


def part(word: str) -> str:
    if word not in PARTS:
        raise argparse.ArgumentTypeError(f"the parts are {' and '.join(PARTS)}, not {word}")
    return word


def kept(part: str) -> Path:
    """There while somebody asked for `up`: then `with` leaves that part running."""
    return STATE / f"keep-{part}"


def bring_up(parts: Sequence) -> dict:
    """Have these parts; returns the variables that tests need."""
    claim_state()
    for part in parts:
        have_docker() if part == "docker" else have_kubernetes()
    variables = {}
    if "docker" in parts or docker.is_ours():
        variables |= docker_variables()
    if "kubernetes" in parts or kubernetes.is_ours():
        variables |= kubernetes_variables()
    write_whole(ENV_FILE, export_lines(variables))
    return variables


def have_docker() -> None:
    if docker.is_ours() or not docker.answers():
        if os.environ.get("DOCKER_HOST") and not docker.is_ours():
            raise LabError(
                "No Docker answers at DOCKER_HOST: start it, or unset DOCKER_HOST and let the lab start one."
            )
        debian.need("prometheus", "redis-server")
        docker.up()
        artefacts.STATSD_EXPORTER.built()
        artefacts.OTELCOL.built()
    elif not docker.has_compose():
        raise LabError("Docker answers, but `docker compose version` fails: install Docker's compose plugin.")


def docker_variables() -> dict:
    variables = {"MESHLAB_LAB_DOCKER": "lab" if docker.is_ours() else "yours"}
    if docker.is_ours():
        variables["MESHLAB_LAB_REGISTRY"] = registry.ADDRESS
        variables["MESHLAB_LAB_WHEELS"] = artefacts.WHEELS
        if not docker.listens_at_usual_place():
            variables["DOCKER_HOST"] = docker.environment()["DOCKER_HOST"]
    elif os.environ.get("DOCKER_HOST"):
        variables["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
    if artefacts.STATSD_EXPORTER.path.exists():
        variables["MESHLAB_STATSD_EXPORTER"] = artefacts.STATSD_EXPORTER.path
    if artefacts.OTELCOL.path.exists():
        variables["PATH"] = artefacts.OTELCOL.path
    return variables


def have_kubernetes() -> None:
    if kubernetes.is_named():
        if not kubernetes.answers():
            raise LabError(
                "No cluster answers at KUBECONFIG: start it, or unset KUBECONFIG and let the lab start one."
            )
        return
    registry.up()
    if not registry.is_full():
        for_images = not docker.is_there()
        have_docker()
        if not docker.is_ours():
            registry.fill(["docker"], dict(os.environ))
        elif for_images:
            docker.down()
    kubernetes.up()


def kubernetes_variables() -> dict:
    if kubernetes.is_named():
        return {"MESHLAB_LAB_KUBERNETES": "yours", "KUBECONFIG": os.environ["KUBECONFIG"]}
    return {
        "MESHLAB_LAB_KUBERNETES": "lab",
        "KUBECONFIG": kubernetes.KUBECONFIG,
        "MESHLAB_KUBECTL": kubernetes.kubectl(),
    }


def take_down(parts: Sequence) -> None:
    """Leave nothing of these parts, and nothing but the cache when no part is left."""
    if not _MARK.exists():
        return
    if "kubernetes" in parts:
        kubernetes.down()
    if "docker" in parts:
        docker.down()
    for part in parts:
        kept(part).unlink(missing_ok=True)
    if kubernetes.FOLDER.exists() or docker.is_there():
        bring_up([])  # so that the variables are those of what is left
        return
    if set(parts) != set(PARTS) and sshd.process.pid:
        return
    sshd.down()
    registry.process.stop()
    machine.put_back()
    shutil.rmtree(STATE)
    for parent in STATE.parents:
        if parent == Path.home() or any(parent.iterdir()):
            break
        parent.rmdir()


def up(arguments: argparse.Namespace) -> int:
    begun = time.monotonic()
    with locked("lab"):
        variables = bring_up(arguments.parts)
        for part in arguments.parts:
            kept(part).touch()
    say(f"up after {time.monotonic() - begun:.1f} s; `. {ENV_FILE}` sets what tests use")
    print(export_lines(variables), end="")
    return 0


def down(arguments: argparse.Namespace) -> int:
    with locked("users", wait=False) as alone, locked("lab"):
        if not alone and not arguments.force:
            raise LabError("A command of tests/lab/with is using the lab: wait for it, or add --force.")
        take_down(arguments.parts)
    return 0


def inside(arguments: argparse.Namespace) -> int:
    """Run a command in the lab; the last of them takes down the parts that nobody asked to stay up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with locked("users", shared=True):
            with locked("lab"):
                variables = bring_up(arguments.only or list(PARTS))
            with subprocess.Popen(arguments.command, env=environment_with(variables)) as command:
                # What runs in the lab goes before the lab does. A terminal's Ctrl-C has reached it already.
                try:
                    code = command.wait()
                except KeyboardInterrupt:
                    command.wait()
                    raise
                except SystemExit:
                    command.terminate()
                    raise
            return code if code >= 0 else 128 - code
    except FileNotFoundError:
        raise LabError(f"There is no command {arguments.command[0]}.") from None
    finally:
        with locked("users", wait=False) as alone:
            if alone and not all(kept(part).exists() for part in PARTS):
                with locked("lab"):
                    take_down([part for part in PARTS if not kept(part).exists()])


def status(arguments: argparse.Namespace) -> int:
    """0 where every part that is asked about answers, 3 where one does not."""
    answers = {}
    if docker.is_ours():
        answers["docker"] = docker.answers(docker.environment())
        daemon = f"the lab's, pid {docker.process.pid}, on {docker.socket()}"
    else:
        answers["docker"] = docker.answers()
        daemon = "yours: the lab starts none" if answers["docker"] else "none"
    lines = [f"docker      {daemon}{not_answering(answers['docker'], docker.is_ours())}"]
    answers["kubernetes"] = kubernetes.answers()
    if kubernetes.is_named():
        lines.append(f"kubernetes  yours{not_answering(answers['kubernetes'], True)}")
    elif kubernetes.FOLDER.exists():
        lines.append(f"kubernetes  the lab's, at {node.ADDRESS}{not_answering(answers['kubernetes'], True)}")
        lines.extend(
            f"            {name}: {f'pid {pid}' if pid else 'NOT running'}"
            for name, pid in kubernetes.pids().items()
        )
    else:
        lines.append("kubernetes  none")
    if registry.process.pid:
        lines.append(f"registry    pid {registry.process.pid}, on {registry.ADDRESS}")
        lines.extend(f"            {name}" for name in registry.held())
    else:
        lines.append("registry    none")
    lines.append(f"sshd        {f'pid {sshd.process.pid}' if sshd.process.pid else 'none'}")
    lines.extend(
        f"{name:11} {folder}{'' if folder.exists() else ' (not there)'}"
        for name, folder in (("state", STATE), ("cache", CACHE))
    )
    print("\n".join(lines))
    return 0 if all(answers[part] for part in arguments.parts) else 3


def not_answering(answers: bool, there: bool) -> str:
    return ", NOT answering" if there and not answers else ""


def ssh_server(arguments: argparse.Namespace) -> int:
    with locked("lab"):
        if arguments.action == "up":
            claim_state()
            sshd.up(arguments.unprivileged)
        elif arguments.action == "down":
            sshd.down()
            if not ENV_FILE.exists():  # there was no lab but this server
                take_down(list(PARTS))
        print(export_lines(sshd.variables()), end="")
    return 0


def statsd_exporter(arguments: argparse.Namespace) -> int:
    with locked("lab"):
        print(artefacts.STATSD_EXPORTER.built())
    return 0


def kubectl(words: list) -> int:
    """Become kubectl, asking the lab's cluster, or yours."""
    with locked("lab") if not artefacts.KUBERNETES.path.exists() else contextlib.nullcontext():
        program = str(kubernetes.kubectl())
    os.environ.setdefault("KUBECONFIG", str(kubernetes.KUBECONFIG))
    os.execv(program, [program, *words])


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    begin = commands.add_parser("up")
    begin.set_defaults(call=up)
    end = commands.add_parser("down")
    end.add_argument("--force", action="store_true", help="even while tests/lab/with runs a command")
    end.set_defaults(call=down)
    look = commands.add_parser("status")
    look.set_defaults(call=status)
    for command in (begin, end, look):
        command.add_argument(
            "parts", nargs="*", type=part, default=PARTS, metavar="PART", help="all by default"
        )
    within = commands.add_parser("with")
    within.add_argument("--only", action="append", choices=PARTS, help="do not bring up the other part")
    within.add_argument("command", nargs=argparse.REMAINDER)
    within.set_defaults(call=inside)
    server = commands.add_parser("sshd")
    server.add_argument("action", choices=("up", "down", "env"))
    server.add_argument("--unprivileged", action="store_true", help=f"make the user {sshd.UNPRIVILEGED} too")
    server.set_defaults(call=ssh_server)
    commands.add_parser("statsd-exporter").set_defaults(call=statsd_exporter)
    commands.add_parser("kubectl", help="everything that follows is kubectl's")
    try:
        if sys.argv[1:2] == ["kubectl"]:
            return kubectl(sys.argv[2:])
        arguments = parser.parse_args()
        if arguments.call is inside and not arguments.command:
            within.error("name the command to run")
        return arguments.call(arguments)
    except LabError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
