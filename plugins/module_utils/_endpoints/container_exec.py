# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An admin on a container's own loopback: asked from inside the container, with what its image offers."""

from __future__ import annotations

import shutil

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import (
    Stream,
    stream_through,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

# Tried in this order inside the container: each carries bytes between its own standard streams and a TCP port, ends when the port is
# closed, and ends when its input does, so that nothing stays behind in the container.
_SCRIPT = """
h=$1 p=$2
has() { command -v "$1" >/dev/null 2>&1; }
if has bash && has cat; then
  exec bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 97; exec 4<&0; cat <&3 & cat <&4 >&3 & wait -n; kill $(jobs -p) 2>/dev/null' "$h" "$p"
fi
for n in python3 python; do
  if has $n; then
    exec $n -c '
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while True:
        d = os.read(0, 65536)
        if not d: os._exit(0)
        s.sendall(d)
threading.Thread(target=up, daemon=True).start()
while True:
    d = s.recv(65536)
    if not d: os._exit(0)
    while d: d = d[os.write(1, d):]
' "$h" "$p"
  fi
done
has nc && exec nc "$h" "$p"
has busybox && busybox nc 2>&1 | grep -q BusyBox && exec busybox nc "$h" "$p"
echo meshlab-no-tool >&2
exit 96
"""


def open_in_container(endpoint: Endpoint) -> Stream:
    """A stream to a port inside a container; Docker's own settings (DOCKER_HOST, contexts) decide which daemon."""
    docker = shutil.which("docker")
    if docker is None:
        raise ScrapeError(
            "unreachable",
            "the docker command is not installed on this host; it is what reaches into a container",
        )
    command = [
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
    ]
    return stream_through(command)


def explain(words: str, container: str) -> str:
    """What `docker exec` said, as a person needs it."""
    instead = "give Envoy's admin a Unix socket on a mounted folder and ask that"
    if "permission denied" in words and "daemon" in words:
        return "no permission to talk to the Docker daemon; become a user of its group"
    if "Cannot connect to the Docker daemon" in words:
        return "there is no Docker daemon to talk to; is it running, and is DOCKER_HOST right?"
    if "meshlab-no-tool" in words:
        return f"nothing in container {container} can open a connection (looked for bash, python3 and nc); {instead}"
    if "No such container" in words:
        return f"there is no container named {container}"
    if "is not running" in words:
        return f"container {container} is not running"
    if "refused" in words:
        return f"inside container {container} the connection is refused; is the admin on that port? (url says which)"
    # bash says of a refused connection that there is no such file, too: so this comes last.
    if "executable file not found" in words or "no such file or directory" in words.lower():
        return f"container {container} has no shell; {instead}"
    last = words.splitlines()[-1].strip() if words else "docker exec ended without an answer"
    return f"container {container}: {last[:300]}"
