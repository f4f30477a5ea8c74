# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of the lab, and functions that every part uses."""

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
    """An error with a message that states what is wrong and what to do."""


def _folder(variable: str, xdg_variable: str, xdg_default: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable]).resolve()
    return Path(os.environ.get(xdg_variable) or Path.home() / xdg_default) / "meshlab.envoy" / "lab"


#: Files that take long to build or download: wheels, binaries, image content. `down` keeps them.
CACHE = _folder("MESHLAB_LAB_CACHE", "XDG_CACHE_HOME", ".cache")
#: Files of one run: Docker's data, logs, process records. `down` removes them.
STATE = _folder("MESHLAB_LAB_STATE", "XDG_STATE_HOME", ".local/state")

ENV_FILE = STATE / "lab.env"
IMAGES_FOLDER = Path(__file__).resolve().parent.parent / "images"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: PATH with the folders of Debian's daemons, which not every user has in PATH
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def log(message: str) -> None:
    """Print a message to standard error; standard output is for programs that read it."""
    print(f"lab: {message}", file=sys.stderr, flush=True)


def which(command: str) -> str | None:
    """Return the path of a command in SYSTEM_PATH."""
    return shutil.which(command, path=SYSTEM_PATH)


def run(argv: list, check: bool = True, **options) -> subprocess.CompletedProcess:
    """Run a command and capture its output; a failure raises LabError with the last line of the output."""
    argv = [str(argument) for argument in argv]
    options.setdefault("stdin", subprocess.DEVNULL)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    except FileNotFoundError:
        raise LabError(f"Command not found: {argv[0]}. Install it.") from None
    if check and done.returncode:
        last = _COLOUR.sub("", done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise LabError(f"`{shlex.join(argv)}` ended with exit status {done.returncode}: {last}")
    return done


def wait_until(condition, seconds: float, failure) -> None:
    """Call `condition` until it returns true; after the deadline raise LabError with the text of `failure()`."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(failure())
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


@contextlib.contextmanager
def locked(name: str, shared: bool = False, wait: bool = True):
    """Hold the lock `name` of the lab; yield False if another process has it and `wait` is false."""
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
    """Replace a file at once, so that no reader sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.chmod(mode)
    new.replace(path)


def export_lines(variables: dict) -> str:
    """Return `export NAME=value` lines for a shell; PATH is prepended to the PATH of the shell."""
    lines = {name: shlex.quote(str(value)) for name, value in variables.items()}
    if "PATH" in lines:
        lines["PATH"] += ':"$PATH"'
    return "".join(f"export {name}={value}\n" for name, value in lines.items())


def environment_with(variables: dict) -> dict:
    """Return the environment of this process with the variables of `export_lines`."""
    own = {name: str(value) for name, value in variables.items()}
    if "PATH" in own:
        own["PATH"] += os.pathsep + os.environ.get("PATH", os.defpath)
    return {**os.environ, **own}


def require_root(action: str) -> None:
    """Raise LabError unless the process runs as root."""
    if os.geteuid():
        raise LabError(
            f"Only root can {action}. Run this as root, or set DOCKER_HOST and KUBECONFIG to a Docker and a cluster that you can use."
        )
