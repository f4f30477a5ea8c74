# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect to a port on a container's loopback address, through `docker exec` and a program of the container's image."""

from __future__ import annotations

import shutil

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import (
    Stream,
    stream_through,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

# Tried in this order inside the container: bash, python3, python, nc, busybox. Each copies bytes between its standard streams and a TCP
# port. Each exits when the port closes and when its standard input ends, so that no process stays in the container.
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
    """Return a stream to the endpoint's port inside its container.

    The docker command selects the daemon by its usual settings (`DOCKER_HOST`, contexts). Raises ScrapeError if the command is missing.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise ScrapeError(
            "unreachable",
            "the docker command is not installed on this host; install it to reach ports inside containers",
        )
    command = [docker, "exec", "-i", endpoint.container, "sh", "-c", _SCRIPT]
    return stream_through([*command, "sh", endpoint.host, str(endpoint.port)])


def explain(output: str, container: str) -> str:
    """Return what is wrong and what to do, from the standard error of `docker exec`."""
    instead = "bind Envoy's admin to a Unix socket in a mounted folder, and give that socket as url"
    if "permission denied" in output and "daemon" in output:
        return "no permission to use the Docker daemon; use become with a user of its group"
    if "Cannot connect to the Docker daemon" in output:
        return "the Docker daemon does not answer; start it, or correct DOCKER_HOST"
    if "meshlab-no-tool" in output:
        return f"container {container} has no program that opens connections (bash, python3, nc); {instead}"
    if "No such container" in output:
        return f"there is no container named {container}"
    if "is not running" in output:
        return f"container {container} is not running"
    if "refused" in output:
        return f"inside container {container} the connection is refused; give the port of the admin in url"
    # For a refused connection, bash prints "no such file or directory" too: so this test comes last.
    if "executable file not found" in output or "no such file or directory" in output.lower():
        return f"container {container} has no shell; {instead}"
    last = output.splitlines()[-1].strip() if output else "docker exec ended without a response"
    return f"container {container}: {last[:300]}"
