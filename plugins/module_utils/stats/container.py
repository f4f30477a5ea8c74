# Copyright (c) 2026 meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An admin on a container's own loopback: asked from inside the container, with what its image offers."""

from __future__ import annotations

import asyncio
import shutil

from .endpoint import Endpoint
from .errors import ScrapeError
from .stream import Stream

# Tried in this order inside the container: each carries bytes between its own standard streams and a TCP port.
# bash's /dev/tcp needs a `cat` for the answer; the shell's own `cat <&0` would be given /dev/null, hence descriptor 4.
_SCRIPT = """
h=$1 p=$2
if command -v bash >/dev/null 2>&1 && command -v cat >/dev/null 2>&1; then
  exec bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 97; exec 4<&0; cat <&4 >&3 & cat <&3; kill $! 2>/dev/null' "$h" "$p"
fi
for n in nc ncat; do
  if command -v $n >/dev/null 2>&1; then exec $n "$h" "$p"; fi
done
if command -v busybox >/dev/null 2>&1 && busybox nc --help 2>&1 | grep -q HOST; then exec busybox nc "$h" "$p"; fi
if command -v socat >/dev/null 2>&1; then exec socat - "TCP:$h:$p"; fi
for n in python3 python; do
  if command -v $n >/dev/null 2>&1; then
    exec $n -c '
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while True:
        d = os.read(0, 65536)
        if not d: break
        s.sendall(d)
threading.Thread(target=up, daemon=True).start()
while True:
    d = s.recv(65536)
    if not d: break
    while d: d = d[os.write(1, d):]
' "$h" "$p"
  fi
done
echo meshlab-no-tool >&2
exit 96
"""


async def open_in_container(endpoint: Endpoint) -> Stream:
    """A stream to a port inside a container; Docker's own settings (DOCKER_HOST, contexts) decide which daemon."""
    docker = shutil.which("docker")
    if docker is None:
        raise ScrapeError(
            "unreachable",
            "the docker command is not installed on this host; it is what reaches into a container",
        )
    process = await asyncio.create_subprocess_exec(
        *[
            docker,
            "exec",
            "-i",
            endpoint.container,
            "sh",
            "-c",
            _SCRIPT,
            "sh",
            endpoint.host,
            str(endpoint.port),
        ],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise ScrapeError("unreachable", "docker exec has no streams")
    return Stream(process.stdout, process.stdin, process)


def explain(words: str, container: str) -> str:
    """What `docker exec` said, as a person needs it."""
    if "meshlab-no-tool" in words:
        return (
            f"nothing in container {container} can open a connection (looked for bash, nc, socat and python3); "
            "give Envoy's admin a Unix socket on a mounted folder and ask that"
        )
    if "executable file not found" in words or "no such file or directory" in words.lower():
        return f"container {container} has no shell; give Envoy's admin a Unix socket on a mounted folder and ask that"
    if "No such container" in words:
        return f"there is no container named {container}"
    if "is not running" in words:
        return f"container {container} is not running"
    if "Connection refused" in words or "refused" in words:
        return f"inside container {container}, the connection is refused; is the admin on that port? (url says which)"
    last = words.splitlines()[-1].strip() if words else "docker exec ended without an answer"
    return f"container {container}: {last[:300]}"
