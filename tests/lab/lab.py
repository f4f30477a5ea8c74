# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test lab's command line: up, down, status, with, sshd, statsd-exporter. See README.md."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lablib import artefacts, debian, docker, registry, sshd
from lablib.base import CACHE, ENV_FILE, STATE, LabError, export_lines, locked, say, write_whole

_MARK = STATE / "made-by-meshlab-lab"
#: there while somebody asked for `up`: then `with` leaves the lab running
_KEEP = STATE / "keep"


def claim_state() -> None:
    """Mark the folder that `down` will remove; never one that holds something else."""
    if STATE.exists() and any(STATE.iterdir()) and not _MARK.exists():
        raise LabError(
            f"{STATE} holds something else than a lab: set MESHLAB_LAB_STATE to a folder that is free."
        )
    write_whole(_MARK, "tests/lab/down removes this folder.\n")


def bring_up() -> dict:
    """Have a Docker with compose v2; returns the variables that tests need."""
    claim_state()
    statsd_exporter = artefacts.STATSD_EXPORTER.path
    if docker.is_ours() or not docker.answers():
        if os.environ.get("DOCKER_HOST") and not docker.is_ours():
            raise LabError(
                "No Docker answers at DOCKER_HOST: start it, or unset DOCKER_HOST and let the lab start one."
            )
        debian.need("prometheus")
        docker.up()
        statsd_exporter = artefacts.STATSD_EXPORTER.built()
        variables = {
            "MESHLAB_LAB_DOCKER": "lab",
            "MESHLAB_LAB_REGISTRY": registry.ADDRESS,
            "MESHLAB_LAB_WHEELS": artefacts.WHEELS,
        }
        if not docker.listens_at_usual_place():
            variables["DOCKER_HOST"] = docker.environment()["DOCKER_HOST"]
    elif docker.has_compose():
        variables = {"MESHLAB_LAB_DOCKER": "yours"}
        if os.environ.get("DOCKER_HOST"):
            variables["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
    else:
        raise LabError("Docker answers, but `docker compose version` fails: install Docker's compose plugin.")
    if statsd_exporter.exists():
        variables["MESHLAB_STATSD_EXPORTER"] = statsd_exporter
    write_whole(ENV_FILE, export_lines(variables))
    return variables


def take_down() -> None:
    """Leave nothing but the cache."""
    if not _MARK.exists():
        return
    sshd.down()
    docker.down()
    docker.wait_gone()
    shutil.rmtree(STATE)
    for parent in STATE.parents:
        if parent == Path.home() or any(parent.iterdir()):
            break
        parent.rmdir()


def up(arguments: argparse.Namespace) -> int:
    begun = time.monotonic()
    with locked("lab"):
        variables = bring_up()
        _KEEP.touch()
    say(f"up after {time.monotonic() - begun:.1f} s; `. {ENV_FILE}` sets what tests use")
    print(export_lines(variables), end="")
    return 0


def down(arguments: argparse.Namespace) -> int:
    with locked("users", wait=False) as alone, locked("lab"):
        if not alone and not arguments.force:
            raise LabError("A command of tests/lab/with is using the lab: wait for it, or add --force.")
        take_down()
    return 0


def inside(arguments: argparse.Namespace) -> int:
    """Run a command in the lab; the last of them takes down a lab that nobody asked to stay up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with locked("users", shared=True):
            with locked("lab"):
                variables = bring_up()
            command = subprocess.run(
                arguments.command,
                env={**os.environ, **{k: str(v) for k, v in variables.items()}},
                check=False,
            )
            return command.returncode if command.returncode >= 0 else 128 - command.returncode
    except FileNotFoundError:
        raise LabError(f"There is no command {arguments.command[0]}.") from None
    finally:
        with locked("users", wait=False) as alone:
            if alone and not _KEEP.exists():
                with locked("lab"):
                    take_down()


def status(arguments: argparse.Namespace) -> int:
    """0 where a Docker answers, 3 where none does."""
    if docker.is_ours():
        answers = docker.answers(docker.environment())
        daemon = (
            f"the lab's, pid {docker.process.pid}, on {docker.socket()}{'' if answers else ', NOT answering'}"
        )
    else:
        answers = docker.answers()
        daemon = "yours: the lab starts none" if answers else "none"
    lines = [f"docker    {daemon}"]
    if registry.process.pid:
        lines.append(f"registry  pid {registry.process.pid}, on {registry.ADDRESS}")
        lines.extend(f"          {name}" for name in registry.held())
    else:
        lines.append("registry  none")
    lines.append(f"sshd      {f'pid {sshd.process.pid}' if sshd.process.pid else 'none'}")
    lines.extend(
        f"{name:9} {folder}{'' if folder.exists() else ' (not there)'}"
        for name, folder in (("state", STATE), ("cache", CACHE))
    )
    print("\n".join(lines))
    return 0 if answers else 3


def ssh_server(arguments: argparse.Namespace) -> int:
    with locked("lab"):
        if arguments.action == "up":
            claim_state()
            sshd.up(arguments.unprivileged)
        elif arguments.action == "down":
            sshd.down()
            if not ENV_FILE.exists():  # there was no lab but this server
                take_down()
        print(export_lines(sshd.variables()), end="")
    return 0


def statsd_exporter(arguments: argparse.Namespace) -> int:
    with locked("lab"):
        print(artefacts.STATSD_EXPORTER.built())
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("up").set_defaults(call=up)
    end = commands.add_parser("down")
    end.add_argument("--force", action="store_true", help="even while tests/lab/with runs a command")
    end.set_defaults(call=down)
    commands.add_parser("status").set_defaults(call=status)
    within = commands.add_parser("with")
    within.add_argument("command", nargs=argparse.REMAINDER)
    within.set_defaults(call=inside)
    server = commands.add_parser("sshd")
    server.add_argument("action", choices=("up", "down", "env"))
    server.add_argument("--unprivileged", action="store_true", help=f"make the user {sshd.UNPRIVILEGED} too")
    server.set_defaults(call=ssh_server)
    commands.add_parser("statsd-exporter").set_defaults(call=statsd_exporter)
    arguments = parser.parse_args()
    if arguments.call is inside and not arguments.command:
        within.error("name the command to run")
    try:
        return arguments.call(arguments)
    except LabError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
