# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a demo on a cluster against kubectl: the first deployment, and a deployment without changes."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import phases
from measure import ROOT, Figure, in_turn, median, playbook, run, summary

SECRET = "front-proxy-edge-certs"
KUBECTL = os.environ.get("MESHLAB_KUBECTL", "kubectl")
ROUNDS = 3


class Namespace:
    """A namespace of the cluster, with the steps that are timed in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        variables = json.dumps({"deployment_cluster": {"namespace": name}, "deployment_timeout": 300})
        self.variables = ("-e", variables)

    def playbook(self, name: str, demo: str | Path, *arguments: str) -> list[str]:
        """Return the command that runs a playbook."""
        return playbook(name, "kubernetes", demo, *self.variables, *arguments)

    def kubectl(self, *arguments: str, folder: Path = ROOT) -> float:
        """Return the seconds that kubectl takes in the namespace."""
        return run([KUBECTL, "--namespace", self.name, *arguments], folder)

    def first_deployment(self, demo: str | Path = "front_proxy") -> float:
        """Return the seconds of the first deployment of a demo, and remove the demo."""
        try:
            return run(self.playbook("site", demo))
        finally:
            run(self.playbook("teardown", demo))

    def first_kubectl(
        self, folder: Path, forwards: Mapping[str, int], urls: Callable[[Sequence[str]], list[str]]
    ) -> Callable[[], float]:
        """Return a step that times kubectl with the files that render.yml wrote, and curl, and then deletes the objects.

        Args:
            folder: The rendered files.
            forwards: The ports by the objects that kubectl forwards to for the requests.
            urls: Returns the URLs of the requests from the addresses of these ports.
        """
        certificates = ("secret", SECRET) if (folder / "edge/certs").is_dir() else ()

        def step() -> float:
            created = ("create", "secret", "generic", SECRET, "--from-file=edge/certs")
            try:
                return (
                    (self.kubectl(*created, folder=folder) if certificates else 0)
                    + self.kubectl("apply", "--filename", "manifests.yaml", folder=folder)
                    + self.kubectl(
                        "wait", "--for=condition=Available", "--timeout=120s", "deployment", "--all"
                    )
                    + self.requests(forwards, urls)
                )
            finally:
                self.kubectl(
                    "delete", "--filename", "manifests.yaml", "--grace-period=1", "--wait", folder=folder
                )
                if certificates:
                    self.kubectl("delete", *certificates)
                self.kubectl("wait", "--for=delete", "--timeout=120s", "pod", "--all")

        return step

    def requests(self, forwards: Mapping[str, int], urls: Callable[[Sequence[str]], list[str]]) -> float:
        """Return the seconds for requests through port-forwards."""
        start = time.monotonic()
        with ExitStack() as stack:
            addresses = [
                stack.enter_context(self.forwarded(target, port)) for target, port in forwards.items()
            ]
            run(["curl", "--silent", "--fail", *urls(addresses)])
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


@contextmanager
def new_namespace() -> Iterator[Namespace]:
    """Yield a new namespace, and delete it."""
    namespace = Namespace(f"meshlab-bench-{secrets.token_hex(3)}")
    run([KUBECTL, "create", "namespace", namespace.name])
    try:
        yield namespace
    finally:
        run([KUBECTL, "delete", "namespace", namespace.name, "--wait"])


def front_proxy_urls(addresses: Sequence[str]) -> list[str]:
    """Return the URLs of front_proxy: 42 requests to the edge, and 3 to an app."""
    edge, app = addresses
    return [f"{edge}/service/1?[1-30]", f"{edge}/service/2?[1-12]", f"{app}/service/1?[1-3]"]


def figures(folder: Path) -> Iterator[Figure]:
    """Measure front_proxy on the cluster in a new namespace."""
    with new_namespace() as namespace:
        yield from _front_proxy(namespace, folder / "rendered")


def _front_proxy(namespace: Namespace, rendered: Path) -> Iterator[Figure]:
    run(namespace.playbook("render", "front_proxy", "-e", f"render_to={rendered}"))
    namespace.first_deployment()  # the node pulls the images
    forwards = {"service/front-proxy-edge": 8080, "service/front-proxy-service1": 8081}
    site, manual = in_turn(
        ROUNDS,
        namespace.first_deployment,
        namespace.first_kubectl(rendered, forwards, front_proxy_urls),
    )
    yield Figure(
        "front_proxy on kubernetes, first deployment",
        median(site) / median(manual),
        1.15,
        "× (kubectl apply + wait + curl)",
        f"site.yml {summary(site)}, kubectl and curl {summary(manual)}",
    )
    site_again, teardown = (namespace.playbook(name, "front_proxy") for name in ("site", "teardown"))
    yield phases.unchanged("kubernetes", site_again, teardown, ROUNDS, 1.9)
