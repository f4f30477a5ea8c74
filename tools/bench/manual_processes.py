# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write front_proxy as plain processes: a shell script that starts the apps and the Envoys and waits until both services respond.

Each Envoy has a static configuration. The processes have no supervisor. The script stop.sh ends them.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from images import ENVOY
from manual_compose import APP, proxy_config

EDGE_PORT = 16180
# The Envoy that a local demo installs.
INSTALLED = Path.home() / f".cache/meshlab.envoy/envoy-{ENVOY.rpartition(':v')[2]}/bin/envoy"
HOST = "127.0.0.1"


def write(folder: Path, envoy: str, python: str, services: int = 2) -> None:
    """Write start.sh, stop.sh and the configurations of the proxies for a number of services."""
    folder.mkdir(parents=True)
    numbers = range(1, services + 1)
    apps = {number: EDGE_PORT + 2 * number - 1 for number in numbers}
    sidecars = {number: EDGE_PORT + 2 * number for number in numbers}
    routes = {f"/service/{number}": (f"service{number}", HOST, sidecars[number]) for number in numbers}
    proxies = {"edge": proxy_config(routes, (HOST, EDGE_PORT), admin=0)}
    proxies |= {
        f"sidecar{number}": proxy_config(
            {"/": ("app", HOST, apps[number])}, (HOST, sidecars[number]), admin=0
        )
        for number in numbers
    }
    # A stopped shell ends no processes, so that start.sh can end before them.
    lines = ["set -e", f"cd {shlex.quote(str(folder))}"]
    for number, port in apps.items():
        settings = f"DEMO_APP_BIND={HOST} DEMO_APP_PORT={port} DEMO_APP_SERVICE={number}"
        lines.append(_started(f"{settings} {shlex.quote(python)} {shlex.quote(str(APP))}", f"app{number}"))
    for name, config in proxies.items():
        (folder / f"{name}.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        options = f"--config-path {name}.json --concurrency 1 --log-level warning --disable-hot-restart"
        lines.append(_started(f"{shlex.quote(envoy)} {options}", name))
    lines += [
        f"for service in {' '.join(map(str, numbers))}; do",
        f"  until curl --silent --fail --output /dev/null http://{HOST}:{EDGE_PORT}/service/$service; do",
        "    for process in $(cat processes); do kill -0 $process; done",
        "    sleep 0.05",
        "  done",
        "done",
    ]
    (folder / "start.sh").write_text("\n".join([*lines, ""]), encoding="utf-8")
    stop = [
        f"cd {shlex.quote(str(folder))}",
        "for process in $(cat processes); do kill $process; done",
        "for process in $(cat processes); do while kill -0 $process; do sleep 0.05; done; done",
        "rm processes",
    ]
    (folder / "stop.sh").write_text("\n".join([*stop, ""]), encoding="utf-8")


def _started(command: str, name: str) -> str:
    return f"{command} >{name}.log 2>&1 </dev/null &\necho $! >>processes"
