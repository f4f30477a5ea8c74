# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a demo on a cluster against kubectl: the first deployment, a deployment without changes, and the number of tasks."""

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

from front_proxy_demo import write_demo
from measure import ROOT, Figure, in_turn, median, output, ping, run, summary

BIN = ROOT / ".venv/bin"
KUBECTL = os.environ.get("MESHLAB_KUBECTL", "kubectl")
ROUNDS = 3
FEW, MANY = 2, 20


class Namespace:
    """A namespace of the cluster, with the steps that are timed in it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def playbook(self, name: str, demo: str, *arguments: str) -> list[str]:
        """Return the command that runs a playbook."""
        variables = json.dumps({"deployment_cluster": {"namespace": self.name}, "deployment_timeout": 300})
        return [
            str(BIN / "ansible-playbook"),
            "-i",
            "inventories/kubernetes",
            f"playbooks/{name}.yml",
            *("-e", f"demo={demo}", "-e", variables),
            *arguments,
        ]

    def kubectl(self, *arguments: str, folder: Path = ROOT) -> float:
        """Return the seconds that kubectl takes in the namespace."""
        return run([KUBECTL, "--namespace", self.name, *arguments], folder)

    def first_deployment(self) -> float:
        """Return the seconds of the first deployment of front_proxy, and remove the demo."""
        try:
            return run(self.playbook("site", "front_proxy"))
        finally:
            run(self.playbook("teardown", "front_proxy"))

    def first_kubectl(self, folder: Path) -> Callable[[], float]:
        """Return a step that times kubectl with the files that render.yml wrote, and curl, and then deletes the objects."""

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
        """Return the seconds for the requests of front_proxy through port-forwards: 42 to the edge, and 3 to an app."""
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
        """Yield the URL of a local port that kubectl forwards to a port of the target."""
        with socket.create_server(("127.0.0.1", 0)) as unused:
            local = unused.getsockname()[1]
        command = [KUBECTL, "--namespace", self.name, "port-forward", target, f"{local}:{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                process.stdout.readline()  # "Forwarding from …"
                yield f"http://127.0.0.1:{local}"
            finally:
                process.terminate()


def figures(folder: Path) -> Iterator[Figure]:
    """Measure front_proxy on the cluster in a new namespace, and compare the numbers of tasks."""
    namespace = Namespace(f"meshlab-bench-{secrets.token_hex(3)}")
    run([KUBECTL, "create", "namespace", namespace.name])
    try:
        yield from _front_proxy(namespace, folder / "rendered")
        yield _tasks(namespace, folder)
    finally:
        run([KUBECTL, "delete", "namespace", namespace.name, "--wait"])


def _front_proxy(namespace: Namespace, rendered: Path) -> Iterator[Figure]:
    run(namespace.playbook("render", "front_proxy", "-e", f"render_to={rendered}"))
    namespace.first_deployment()  # the node pulls the images
    site, manual = in_turn(ROUNDS, namespace.first_deployment, namespace.first_kubectl(rendered))
    yield Figure(
        "front_proxy on kubernetes, first deployment",
        median(site) / median(manual),
        1.15,
        "× (kubectl apply + wait + curl)",
        f"site.yml {summary(site)}, kubectl and curl {summary(manual)}",
    )
    run(namespace.playbook("site", "front_proxy"))
    try:
        reruns, pings = in_turn(ROUNDS, lambda: run(namespace.playbook("site", "front_proxy")), ping)
    finally:
        run(namespace.playbook("teardown", "front_proxy"))
    yield Figure(
        "front_proxy on kubernetes, unchanged",
        median(reruns) / median(pings),
        1.9,
        "× ping",
        f"site.yml {summary(reruns)}, ping {summary(pings)}",
    )


def _tasks(namespace: Namespace, folder: Path) -> Figure:
    """Compare the numbers of tasks for FEW and MANY services, and report the seconds."""
    tasks, seconds = [], []
    for services in (FEW, MANY):
        demo = str(write_demo(folder, services))
        start = time.monotonic()
        printed = output(namespace.playbook("site", demo))
        seconds.append(time.monotonic() - start)
        tasks.append(len(re.findall(r"^TASK \[", printed, re.MULTILINE)))
        run(namespace.playbook("teardown", demo))
    return Figure(
        f"tasks on kubernetes, {FEW} to {MANY} services",
        tasks[1] / tasks[0],
        1.0,
        f"× the tasks for {FEW}",
        f"{tasks[1]} tasks, {seconds[1]:.1f} s; {FEW} services {seconds[0]:.1f} s",
    )
