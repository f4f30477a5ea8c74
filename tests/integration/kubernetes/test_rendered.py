# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that render.yml writes, applied by kubectl or oc without Ansible, and then taken over by Ansible."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from cluster_home import PLATFORMS, UIDS, ClusterHome
from live import ROOT, Run, demo_data

DEMO = "front_proxy"
DATA = demo_data(DEMO, 0)
COUNT = len(DATA["expectations"]) + sum(len(one["expect"]) for one in DATA["traffic"])
# A Route that reencrypts has to trust the authority of the edge's certificate.
REENCRYPT = {"deployment_kubernetes": {"routes": True, "termination": "reencrypt"}}
HOLD = f"{COUNT} of {COUNT} expectations hold"
# The lab has only Routes and the user range of OpenShift, so that `oc` is kubectl and a replacement of `oc process`.
OC = f"""\
case "$3" in
process) shift 3; exec {sys.executable} {ROOT}/tests/support/fake_oc_process.py "$@" ;;
*) exec kubectl "$@" ;;
esac
"""


class ShellUser:
    """A user without Ansible, with kubectl, oc, a namespace, and the rendered files."""

    def __init__(self, home: ClusterHome) -> None:
        self.home = home
        self.folder = home.folder / "rendered"
        programs = home.folder / "bin"
        programs.mkdir()
        kubectl = os.environ.get("MESHLAB_KUBECTL") or "kubectl"
        for name, script in (
            ("kubectl", f'exec {kubectl} "$@"'),
            ("oc", OC),
        ):
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        self.kubectl = f"kubectl --namespace {home.namespace}"

    def run(self, command: str, ok: bool = True) -> str:
        """Return the output of a command, and check whether it succeeds."""
        ran = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder if self.folder.exists() else None,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        assert (ran.returncode == 0) == ok, f"{command}\n{ran.stdout}"
        return ran.stdout

    def wait_for_deployments(self) -> None:
        """Wait until all Deployments are available; on a timeout add the descriptions of the pods."""
        try:
            self.run(f"{self.kubectl} wait --for=condition=Available --timeout=120s deployment --all")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.run(f'{self.kubectl} describe pods')[-4000:]}") from None


@pytest.fixture(params=PLATFORMS)
def user(request: pytest.FixtureRequest) -> Iterator[ShellUser]:
    home = ClusterHome(request.param)
    yield ShellUser(home)
    home.close()


def commands(rendered: Run) -> str:
    """Return the commands that render.yml prints."""
    found = re.search(r"cd \S+ && .*?(?=' - | - ['\"]?Then)", rendered.words)
    assert found, rendered.words
    return found[0]


def assert_route_trusts_the_authority(user: ShellUser) -> None:
    """Check that the Route that reencrypts trusts the rendered certificate authority."""
    authority = (user.folder / "edge" / "certs" / "ca.crt").read_text()
    routes = [one["spec"]["tls"] for one in user.home.objects("Route", DEMO)]
    [again] = [one for one in routes if one["termination"] == "reencrypt"]
    assert again["destinationCACertificate"].rstrip() == authority.rstrip()


@pytest.mark.parametrize("user", ["kubernetes"], indirect=True)
def test_ansible_takes_over_what_kubectl_applied(user: ShellUser) -> None:
    home = user.home
    home.variables |= REENCRYPT
    demo, own = home.demo(DEMO), {"deployment_folder": str(user.folder)}
    command = commands(home.play("render", demo=demo, render_to=str(user.folder)))
    text = (user.folder / "manifests.yaml").read_text()
    assert "PRIVATE KEY" not in text
    assert command.partition(" && ")[2] in text.splitlines()[0], "the file names the command"
    assert [one for one in home.remaining(DEMO) if "/" not in one] == []

    # A Secret without labels may belong to another user. The message has the command to label it.
    secret = re.search(r"create secret generic (\S+)", command)[1]  # type: ignore[index]
    user.run(f"{user.kubectl} create secret generic {secret} --from-file=edge/certs")
    refused = home.play("site", ok=False, demo=demo, **own).words
    command_to_label = (
        f"kubectl --namespace {home.namespace} label secret {secret} meshlab.envoy/demo={home.name(DEMO)}"
    )
    assert f"Secret {secret} in namespace {home.namespace} belongs to no demo" in refused
    assert command_to_label in refused
    assert home.objects("Deployment") == []
    user.run(f"{user.kubectl} delete secret {secret}")

    user.run(command)
    user.wait_for_deployments()
    assert_route_trusts_the_authority(user)
    assert HOLD in home.play("verify", demo=demo, **own).words
    assert " configured" not in user.run(f"{user.kubectl} apply -f manifests.yaml")
    running = home.running(DEMO)
    assert len(running) == 5

    # A field that kubectl owns and that the plan does not have is removed.
    [service] = [one for one in home.objects("Service") if one["metadata"]["name"].endswith("-edge")]
    more = {"name": "more", "port": 9999, "targetPort": 9999}
    document = {key: service[key] for key in ("apiVersion", "kind")} | {
        "metadata": {key: service["metadata"][key] for key in ("name", "labels")},
        "spec": {"ports": [*service["spec"]["ports"], more]},
    }
    (home.folder / "more.yaml").write_text(yaml.safe_dump(document))
    user.run(f"{user.kubectl} apply -f {home.folder}/more.yaml")
    taken = home.play("site", demo=demo, **own)
    assert HOLD in taken.words
    assert home.running(DEMO) == running, "a container was restarted"
    assert "9999" not in user.run(f"{user.kubectl} get services -o yaml")
    [kept] = home.objects("Secret", DEMO)
    assert kept["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "meshlab.envoy"
    assert home.play("site", demo=demo, **own).recap["changed"] == 0

    home.play("teardown", demo=demo, **own)
    assert home.remaining(DEMO) == []
    assert not user.folder.exists()


@pytest.mark.parametrize("user", ["openshift"], indirect=True)
def test_template_is_processed_and_created(user: ShellUser) -> None:
    home = user.home
    home.variables |= REENCRYPT
    demo, own = (
        home.demo(DEMO),
        {"deployment_folder": str(user.folder), "deployment_replicas": {"service1": 2}},
    )
    command = commands(home.play("render", demo=demo, render_to=str(user.folder)))
    for name in ("manifests.yaml", "template.yaml"):
        assert "PRIVATE KEY" not in (user.folder / name).read_text()
    assert "parameter NAMESPACE is required" in user.run(
        f"oc --namespace {home.namespace} process -f template.yaml", ok=False
    )
    route = f"{home.prefix}-front-proxy-edge-https"
    image = "docker.io/envoyproxy/envoy:v1.40.0"
    chosen = {
        "SERVICE1_REPLICAS": "2",
        "ENVOY_IMAGE": image,
        f"{route.upper().replace('-', '_')}_HOST": "shop.example.com",
    }
    options = "".join(f" -p {key}={value}" for key, value in chosen.items())
    user.run(command.replace(" | oc ", f"{options} | oc "))
    user.wait_for_deployments()

    hosts = {one["metadata"]["name"]: one["spec"].get("host") or "" for one in home.objects("Route")}
    assert hosts[route] == "shop.example.com"
    assert_route_trusts_the_authority(user)
    assert len(hosts) == 3
    assert len(home.pods(DEMO, "service1")) == 2
    for pod in home.objects("Pod"):
        assert pod["spec"]["securityContext"]["fsGroup"] == int(
            UIDS["openshift.io/sa.scc.uid-range"].partition("/")[0]
        )
        every = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
        assert {one["image"] for one in every if one["name"] == "envoy"} == {image}
        ids = user.run(f"{user.kubectl} exec {pod['metadata']['name']} --container envoy -- id")
        assert "uid=1000650000" in ids
        assert "gid=0(root)" in ids
    assert f"{home.prefix}-front-proxy-service1   N/A" in user.run(f"{user.kubectl} get poddisruptionbudgets")
    assert HOLD in home.play("verify", demo=demo, **own).words

    # The deployment replaces the pods of another image. The edge has discovered only the new pods before traffic is sent.
    assert HOLD in home.play("site", demo=demo, **own).words
    assert home.play("site", "--skip-tags", "verify", demo=demo, **own).recap["changed"] == 0
    home.play("teardown", demo=demo, **own)
    assert home.remaining(DEMO) == []
