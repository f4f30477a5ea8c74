# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the lab keeps things, and the few helpers that every part uses."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path


class LabError(Exception):
    """Something a person has to know or do, in one sentence."""


def _folder(variable: str, xdg_variable: str, xdg_default: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable]).resolve()
    return Path(os.environ.get(xdg_variable) or Path.home() / xdg_default) / "meshlab.envoy" / "lab"


#: What is slow to make: wheels, binaries, image content. Survives `down`.
CACHE = _folder("MESHLAB_LAB_CACHE", "XDG_CACHE_HOME", ".cache")
#: What belongs to one run: Docker's data, logs, process records. Removed by `down`.
STATE = _folder("MESHLAB_LAB_STATE", "XDG_STATE_HOME", ".local/state")

ENV_FILE = STATE / "lab.env"
IMAGES_FOLDER = Path(__file__).resolve().parent.parent / "images"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: where daemons of Debian are, which not every user has in PATH
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def say(message: str) -> None:
    """Tell the person; standard output is kept for what a program reads."""
    print(f"lab: {message}", file=sys.stderr, flush=True)


def which(command: str) -> str | None:
    return shutil.which(command, path=SYSTEM_PATH)


def run(argv: list, check: bool = True, **options) -> subprocess.CompletedProcess:
    """Run a command with its output captured; a failure becomes a LabError with its last line."""
    argv = [str(word) for word in argv]
    options.setdefault("stdin", subprocess.DEVNULL)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    except FileNotFoundError:
        raise LabError(f"The command {argv[0]} is not on this machine.") from None
    if check and done.returncode:
        said = _COLOUR.sub("", done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise LabError(f"`{shlex.join(argv)}` ended with {done.returncode} and said: {said}")
    return done


def wait_until(condition, seconds: float, failure) -> None:
    """Ask `condition` until it holds; past the deadline raise what `failure()` says."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(failure())
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


@contextlib.contextmanager
def locked(name: str, shared: bool = False, wait: bool = True):
    """Hold the lab's lock `name`; yields False where another has it and `wait` is off."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "a", encoding="utf-8") as lock:
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(lock, mode if wait else mode | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.chmod(mode)
    new.replace(path)


def export_lines(variables: dict) -> str:
    """`export NAME=value` lines, which a shell can source; a PATH goes before the shell's own."""
    lines = {name: shlex.quote(str(value)) for name, value in variables.items()}
    if "PATH" in lines:
        lines["PATH"] += ':"$PATH"'
    return "".join(f"export {name}={value}\n" for name, value in lines.items())


def environment_with(variables: dict) -> dict:
    """This process's environment with what `export_lines` would export."""
    own = {name: str(value) for name, value in variables.items()}
    if "PATH" in own:
        own["PATH"] += os.pathsep + os.environ.get("PATH", os.defpath)
    return {**os.environ, **own}


def need_root(what: str) -> None:
    if os.geteuid():
        raise LabError(
            f"Only root can {what}: run this as root, or let DOCKER_HOST and KUBECONFIG name what you can use."
        )
