# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo on a cluster beside kubectl: deployed, deployed again, and with twenty services."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from front_proxy_demo import demo_file
from measure import ROOT, Figure, in_turn, median, output, run, said

BIN = ROOT / ".venv/bin"
KUBECTL = os.environ.get("MESHLAB_KUBECTL", "kubectl")
ROUNDS = 3
FEW, MANY = 2, 20


class Space:
    """A namespace, and what is done in it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def playbook(self, name: str, demo: str, *arguments: str) -> list[str]:
        """Return the command that runs a playbook."""
        where = json.dumps({"deployment_cluster": {"namespace": self.name}, "deployment_timeout": 300})
        return [
            str(BIN / "ansible-playbook"),
            "-i",
            "inventories/kubernetes",
            f"playbooks/{name}.yml",
            *("-e", f"demo={demo}", "-e", where),
            *arguments,
        ]

    def kubectl(self, *arguments: str, folder: Path = ROOT) -> float:
        return run([KUBECTL, "--namespace", self.name, *arguments], folder)

    def cold(self) -> float:
        """Deploy front_proxy where nothing is, and take it down again, which is not counted."""
        try:
            return run(self.playbook("site", "front_proxy"))
        finally:
            run(self.playbook("teardown", "front_proxy"))

    def cold_by_hand(self, folder: Path) -> Callable[[], float]:
        """The same with what render.yml wrote, kubectl and curl."""

        def step() -> float:
            try:
                return (
                    self.kubectl(
                        "create",
                        "secret",
                        "generic",
                        "front-proxy-edge-certs",
                        "--from-file=edge/certs",
                        folder=folder,
                    )
                    + self.kubectl("apply", "--filename", "manifests.yaml", folder=folder)
                    + self.kubectl(
                        "wait", "--for=condition=Available", "--timeout=120s", "deployment", "--all"
                    )
                    + self.requests()
                )
            finally:
                self.kubectl(
                    "delete", "--filename", "manifests.yaml", "--grace-period=1", "--wait", folder=folder
                )
                self.kubectl("delete", "secret", "front-proxy-edge-certs")
                self.kubectl("wait", "--for=delete", "--timeout=60s", "pod", "--all")

        return step

    def requests(self) -> float:
        """The requests of the demo through a port-forward: 24 and 12 and 6 at the edge, and 3 straight to an app."""
        start = time.monotonic()
        with (
            self.forwarded("service/front-proxy-edge", 8080) as edge,
            self.forwarded("service/front-proxy-service1", 8081) as app,
        ):
            urls = [f"{edge}/service/1?[1-30]", f"{edge}/service/2?[1-12]", f"{app}/service/1?[1-3]"]
            run(["curl", "--silent", "--fail", *urls])
        return time.monotonic() - start

    @contextmanager
    def forwarded(self, target: str, port: int) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as found:
            here = found.getsockname()[1]
        command = [KUBECTL, "--namespace", self.name, "port-forward", target, f"{here}:{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                process.stdout.readline()  # "Forwarding from …"
                yield f"http://127.0.0.1:{here}"
            finally:
                process.terminate()


def figures(folder: Path) -> list[Figure]:
    space = Space(f"meshlab-bench-{secrets.token_hex(3)}")
    run([KUBECTL, "create", "namespace", space.name])
    try:
        return [*_front_proxy(space, folder / "rendered"), _many(space, folder)]
    finally:
        run([KUBECTL, "delete", "namespace", space.name, "--wait"])


def _front_proxy(space: Space, rendered: Path) -> list[Figure]:
    def ping() -> float:
        return run([str(BIN / "ansible"), "localhost", "-m", "ping"])

    run(space.playbook("render", "front_proxy", "-e", f"render_to={rendered}"))
    space.cold()  # images are there from now on
    ours, theirs = in_turn(ROUNDS, space.cold, space.cold_by_hand(rendered))
    run(space.playbook("site", "front_proxy"))
    try:
        reruns, pings = in_turn(ROUNDS, lambda: run(space.playbook("site", "front_proxy")), ping)
    finally:
        run(space.playbook("teardown", "front_proxy"))
    return [
        Figure(
            "front_proxy on kubernetes, cold",
            median(ours) / median(theirs),
            1.5,
            "× (kubectl apply + wait + curl)",
            f"site.yml {said(ours)}, kubectl and curl {said(theirs)}",
        ),
        Figure(
            "front_proxy on kubernetes, unchanged",
            median(reruns) / median(pings),
            3.0,
            "× ping",
            f"site.yml {said(reruns)}, ping {said(pings)}",
        ),
    ]


def _many(space: Space, folder: Path) -> Figure:
    """Tasks, and seconds beside them."""
    tasks, seconds = [], []
    for services in (FEW, MANY):
        demo = str(demo_file(folder, services))
        start = time.monotonic()
        said_of_it = output(space.playbook("site", demo))
        seconds.append(time.monotonic() - start)
        tasks.append(len(re.findall(r"^TASK \[", said_of_it, re.MULTILINE)))
        run(space.playbook("teardown", demo))
    return Figure(
        f"tasks on kubernetes, {FEW} to {MANY} services",
        tasks[1] / tasks[0],
        1.0,
        f"× those of {FEW}",
        f"{tasks[1]} tasks, {seconds[1]:.1f} s; {FEW} services {seconds[0]:.1f} s",
    )
