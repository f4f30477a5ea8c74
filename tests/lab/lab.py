# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the test lab: up, down, status, with, kubectl, sshd, statsd-exporter, mesh. See README.md."""

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

from lablib import artefacts, debian, docker, kubernetes, machine, mesh, node, registry, sshd
from lablib.base import (
    CACHE,
    ENV_FILE,
    STATE,
    LabError,
    environment_with,
    export_lines,
    locked,
    log,
    write_whole,
)

_MARK = STATE / "made-by-meshlab-lab"
#: the commands of Podman, which its tests start themselves
PODMAN = ("podman", "newuidmap", "slirp4netns", "/usr/lib/podman/netavark", "/usr/lib/podman/aardvark-dns")
#: the parts of the lab; kubernetes runs without docker, but docker builds its images
PARTS = ("docker", "kubernetes")


def claim_state() -> None:
    """Mark the state folder, which `down` removes. A folder with other files is an error."""
    if STATE.exists() and any(STATE.iterdir()) and not _MARK.exists():
        raise LabError(
            f"{STATE} contains files of another program. Set MESHLAB_LAB_STATE to an empty folder."
        )
    write_whole(_MARK, "tests/lab/down removes this folder.\n")


def part_name(text: str) -> str:
    """Return the name of a part, for argparse."""
    if text not in PARTS:
        raise argparse.ArgumentTypeError(f"unknown part '{text}'. Choose from: {', '.join(PARTS)}")
    return text


def keep_file(part: str) -> Path:
    """Return the file that exists after `up`: `with` does not stop such a part."""
    return STATE / f"keep-{part}"


def bring_up(parts: Sequence) -> dict:
    """Start the parts that do not run, and return the variables that tests need."""
    claim_state()
    for part in parts:
        start_docker() if part == "docker" else start_kubernetes()
    variables = {}
    if "docker" in parts or docker.is_ours():
        variables |= docker_variables()
    if "kubernetes" in parts or kubernetes.is_ours():
        variables |= kubernetes_variables()
    write_whole(ENV_FILE, export_lines(variables))
    return variables


def start_docker() -> None:
    """Start the lab's Docker, unless another Docker answers."""
    if docker.is_ours() or not docker.answers():
        if os.environ.get("DOCKER_HOST") and not docker.is_ours():
            raise LabError(
                "No Docker answers at DOCKER_HOST. Start it, or unset DOCKER_HOST so that the lab starts one."
            )
        debian.require("prometheus", "promtool", "redis-server", "chromium", "h2load", *PODMAN)
        docker.up()
        artefacts.STATSD_EXPORTER.built()
        for program in artefacts.DEMO_PROGRAMS:
            program.built()
    elif not docker.has_compose():
        raise LabError("Docker answers, but `docker compose version` fails. Install Docker's compose plugin.")


def docker_variables() -> dict:
    """Return the variables for tests that use Docker."""
    variables = {"MESHLAB_LAB_DOCKER": "lab" if docker.is_ours() else "yours"}
    if docker.is_ours():
        variables["MESHLAB_LAB_REGISTRY"] = registry.ADDRESS
        variables["MESHLAB_LAB_WHEELS"] = artefacts.WHEELS
        if not docker.listens_at_default_socket():
            variables["DOCKER_HOST"] = docker.environment()["DOCKER_HOST"]
    elif os.environ.get("DOCKER_HOST"):
        variables["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
    if artefacts.STATSD_EXPORTER.path.exists():
        variables["MESHLAB_STATSD_EXPORTER"] = artefacts.STATSD_EXPORTER.path
    if built := [str(one.path) for one in artefacts.DEMO_PROGRAMS if one.path.exists()]:
        variables["PATH"] = os.pathsep.join(built)
    return variables


def start_kubernetes() -> None:
    """Start the lab's cluster, unless KUBECONFIG names another one."""
    if kubernetes.is_named():
        if not kubernetes.answers():
            raise LabError(
                "No cluster answers at KUBECONFIG. Start it, or unset KUBECONFIG so that the lab starts one."
            )
        return
    node.check_other_labs()
    registry.up()
    if not registry.is_full():
        only_for_images = not docker.has_state()
        start_docker()
        if not docker.is_ours():
            registry.fill(["docker"], dict(os.environ))
        elif only_for_images:
            docker.down()
    kubernetes.up()


def kubernetes_variables() -> dict:
    """Return the variables for tests that use a cluster."""
    if kubernetes.is_named():
        return {"MESHLAB_LAB_KUBERNETES": "yours", "KUBECONFIG": os.environ["KUBECONFIG"]}
    return {
        "MESHLAB_LAB_KUBERNETES": "lab",
        "KUBECONFIG": kubernetes.KUBECONFIG,
        "MESHLAB_KUBECTL": kubernetes.kubectl(),
    }


def take_down(parts: Sequence) -> None:
    """Stop parts and remove their files. After the last part, only the cache remains."""
    if not _MARK.exists():
        return
    if "kubernetes" in parts:
        kubernetes.down()
    if "docker" in parts:
        docker.down()
    for part in parts:
        keep_file(part).unlink(missing_ok=True)
    if kubernetes.FOLDER.exists() or docker.has_state():
        bring_up([])  # writes the variables of the remaining part
        return
    if set(parts) != set(PARTS) and sshd.process.pid:
        return
    sshd.down()
    registry.process.stop()
    machine.restore()
    # Daemons that were killed leave mounts, and so does a `down` that failed.
    machine.unmount(STATE)
    shutil.rmtree(STATE)
    for parent in STATE.parents:
        if parent == Path.home() or any(parent.iterdir()):
            break
        parent.rmdir()


def up(arguments: argparse.Namespace) -> int:
    """Start parts, and print their variables."""
    begun = time.monotonic()
    with locked("lab"):
        variables = bring_up(arguments.parts)
        for part in arguments.parts:
            keep_file(part).touch()
    log(f"up after {time.monotonic() - begun:.1f} s; `. {ENV_FILE}` sets the variables that tests use")
    print(export_lines(variables), end="")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """Stop parts, unless a command of `with` uses them."""
    with locked("users", wait=False) as alone, locked("lab"):
        if not alone and not arguments.force:
            raise LabError("A command of tests/lab/with uses the lab. Wait until it ends, or add --force.")
        take_down(arguments.parts)
    return 0


def inside(arguments: argparse.Namespace) -> int:
    """Run a command in the lab. The last such command stops the parts that `up` did not start."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with locked("users", shared=True):
            with locked("lab"):
                variables = bring_up(arguments.only or list(PARTS))
            with subprocess.Popen(arguments.command, env=environment_with(variables)) as command:
                # The command ends before the lab does. The terminal has sent Ctrl-C to the command as well.
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
        raise LabError(f"Command not found: {arguments.command[0]}.") from None
    finally:
        with locked("users", wait=False) as alone:
            if alone and not all(keep_file(part).exists() for part in PARTS):
                with locked("lab"):
                    take_down([part for part in PARTS if not keep_file(part).exists()])


def status(arguments: argparse.Namespace) -> int:
    """Print the state of the lab, and return 0 if the given parts answer, otherwise 3."""
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
        f"{name:11} {folder}{'' if folder.exists() else ' (does not exist)'}"
        for name, folder in (("state", STATE), ("cache", CACHE))
    )
    print("\n".join(lines))
    return 0 if all(answers[part] for part in arguments.parts) else 3


def not_answering(answers: bool, started: bool) -> str:
    """Return the remark for a part that was started but does not answer."""
    return ", NOT answering" if started and not answers else ""


def ssh_server(arguments: argparse.Namespace) -> int:
    """Start or stop the SSH server, and print its variables."""
    with locked("lab"):
        if arguments.action == "up":
            claim_state()
            sshd.up(arguments.unprivileged)
        elif arguments.action == "down":
            sshd.down()
            if not ENV_FILE.exists():  # no other part runs
                take_down(list(PARTS))
        print(export_lines(sshd.variables()), end="")
    return 0


def statsd_exporter(arguments: argparse.Namespace) -> int:
    """Print the path of a statsd_exporter."""
    with locked("lab"):
        print(artefacts.STATSD_EXPORTER.built())
    return 0


def service_mesh(arguments: argparse.Namespace) -> int:
    """Install or remove Istio, or print the path of istioctl."""
    with locked("mesh"):
        if arguments.action == "istioctl":
            print(mesh.istioctl())
            return 0
        if not kubernetes.is_ours():
            raise LabError("The lab's cluster does not run. Run `tests/lab/up` first.")
        begin, end = mesh.PARTS[arguments.part]
        begin() if arguments.action == "up" else end()
    return 0


def kubectl(arguments: list) -> int:
    """Replace this process with kubectl: the one of MESHLAB_KUBECTL, or else one of the cache, which is built if necessary."""
    program = os.environ.get("MESHLAB_KUBECTL")
    if not program:
        with locked("lab") if not artefacts.KUBERNETES.path.exists() else contextlib.nullcontext():
            program = str(kubernetes.kubectl())
    os.environ.setdefault("KUBECONFIG", str(kubernetes.KUBECONFIG))
    try:
        os.execv(program, [program, *arguments])
    except OSError as error:
        raise LabError(
            f"{program} does not run: {error.strerror}. Set MESHLAB_KUBECTL to a kubectl, or unset it."
        ) from None


def main() -> int:
    """Run the command of the command line, and return its exit status."""
    parser = argparse.ArgumentParser(prog="tests/lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    begin = commands.add_parser("up")
    begin.set_defaults(call=up)
    end = commands.add_parser("down")
    end.add_argument("--force", action="store_true", help="also while a command of tests/lab/with runs")
    end.set_defaults(call=down)
    look = commands.add_parser("status")
    look.set_defaults(call=status)
    for command in (begin, end, look):
        command.add_argument(
            "parts", nargs="*", type=part_name, default=PARTS, metavar="PART", help="all by default"
        )
    within = commands.add_parser("with")
    within.add_argument("--only", action="append", choices=PARTS, help="start only this part")
    within.add_argument("command", nargs=argparse.REMAINDER)
    within.set_defaults(call=inside)
    server = commands.add_parser("sshd")
    server.add_argument("action", choices=("up", "down", "env"))
    server.add_argument(
        "--unprivileged", action="store_true", help=f"also create the user {sshd.UNPRIVILEGED}"
    )
    server.set_defaults(call=ssh_server)
    meshes = commands.add_parser("mesh")
    meshes.add_argument("action", choices=("up", "down", "istioctl"))
    meshes.add_argument("part", nargs="?", choices=tuple(mesh.PARTS), default="istio")
    meshes.set_defaults(call=service_mesh)
    commands.add_parser("statsd-exporter").set_defaults(call=statsd_exporter)
    commands.add_parser("kubectl", help="run kubectl with the arguments that follow")
    try:
        if sys.argv[1:2] == ["kubectl"]:
            return kubectl(sys.argv[2:])
        arguments = parser.parse_args()
        if arguments.call is inside and not arguments.command:
            within.error("expected a command to run")
        return arguments.call(arguments)
    except LabError as error:
        log(str(error))
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
