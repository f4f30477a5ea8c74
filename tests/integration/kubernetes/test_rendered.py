# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What render.yml writes, run as it says: by kubectl, or by oc, without Ansible; and then taken over by it."""

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
# A Route that ends TLS and begins another has to believe who signed the edge's certificate.
AGAIN = {"deployment_kubernetes": {"routes": True, "termination": "reencrypt"}}
HOLD = f"{COUNT} of {COUNT} expectations hold"
# Nothing of OpenShift is in the lab but Routes and a project's user, so `oc` is kubectl and a stand-in.
OC = f"""\
case "$3" in
process) shift 3; exec {sys.executable} {ROOT}/tests/support/fake_oc_process.py "$@" ;;
*) exec kubectl "$@" ;;
esac
"""


class Person:
    """Somebody without Ansible, who has kubectl (or oc), a namespace of one's own, and what was rendered."""

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

    def types(self, command: str, ok: bool = True) -> str:
        """Return what a command said, which has to succeed unless told otherwise."""
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

    def waits(self) -> None:
        """Wait as people do, and tell what the cluster said where that does not end well."""
        try:
            self.types(f"{self.kubectl} wait --for=condition=Available --timeout=120s deployment --all")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.types(f'{self.kubectl} describe pods')[-4000:]}") from None


@pytest.fixture(params=PLATFORMS)
def person(request: pytest.FixtureRequest) -> Iterator[Person]:
    home = ClusterHome(request.param)
    yield Person(home)
    home.close()


def commands(rendered: Run) -> str:
    """Return what render.yml says to do."""
    found = re.search(r"cd \S+ && .*?(?=' - | - ['\"]?Then)", rendered.words)
    assert found, rendered.words
    return found[0]


def assert_believed(person: Person) -> None:
    """The Route that encrypts again believes the authority that was made beside the documents."""
    authority = (person.folder / "edge" / "certs" / "ca.crt").read_text()
    routes = [one["spec"]["tls"] for one in person.home.objects("Route", DEMO)]
    [again] = [one for one in routes if one["termination"] == "reencrypt"]
    assert again["destinationCACertificate"].rstrip() == authority.rstrip()


@pytest.mark.parametrize("person", ["kubernetes"], indirect=True)
def test_kubectl_runs_what_was_rendered_and_ansible_takes_it_over(person: Person) -> None:
    home = person.home
    home.variables |= AGAIN
    demo, own = home.demo(DEMO), {"deployment_folder": str(person.folder)}
    command = commands(home.play("render", demo=demo, render_to=str(person.folder)))
    text = (person.folder / "manifests.yaml").read_text()
    assert "PRIVATE KEY" not in text
    assert command.partition(" && ")[2] in text.splitlines()[0], "the file itself tells"
    assert [one for one in home.remaining(DEMO) if "/" not in one] == []

    # A Secret that nobody labelled may be anybody's; it is said how it becomes the demo's.
    secret = re.search(r"create secret generic (\S+)", command)[1]  # type: ignore[index]
    person.types(f"{person.kubectl} create secret generic {secret} --from-file=edge/certs")
    refused = home.play("site", ok=False, demo=demo, **own).words
    told = f"kubectl --namespace {home.namespace} label secret {secret} meshlab.envoy/demo={home.name(DEMO)}"
    assert f"Secret {secret} in namespace {home.namespace} is not of any demo" in refused
    assert told in refused
    assert home.objects("Deployment") == []
    person.types(f"{person.kubectl} delete secret {secret}")

    person.types(command)
    person.waits()
    assert_believed(person)
    assert HOLD in home.play("verify", demo=demo, **own).words
    assert " configured" not in person.types(f"{person.kubectl} apply -f manifests.yaml")
    running = home.running(DEMO)
    assert len(running) == 5

    # What was once applied by hand and is wanted no more goes, though kubectl owns it.
    [service] = [one for one in home.objects("Service") if one["metadata"]["name"].endswith("-edge")]
    more = {"name": "more", "port": 9999, "targetPort": 9999}
    document = {key: service[key] for key in ("apiVersion", "kind")} | {
        "metadata": {key: service["metadata"][key] for key in ("name", "labels")},
        "spec": {"ports": [*service["spec"]["ports"], more]},
    }
    (home.folder / "more.yaml").write_text(yaml.safe_dump(document))
    person.types(f"{person.kubectl} apply -f {home.folder}/more.yaml")
    taken = home.play("site", demo=demo, **own)
    assert HOLD in taken.words
    assert home.running(DEMO) == running, "taking over restarts nobody"
    assert "9999" not in person.types(f"{person.kubectl} get services -o yaml")
    [kept] = home.objects("Secret", DEMO)
    assert kept["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "meshlab.envoy"
    assert home.play("site", demo=demo, **own).recap["changed"] == 0

    home.play("teardown", demo=demo, **own)
    assert home.remaining(DEMO) == []
    assert not person.folder.exists()


@pytest.mark.parametrize("person", ["openshift"], indirect=True)
def test_a_template_is_processed_and_created(person: Person) -> None:
    home = person.home
    home.variables |= AGAIN
    demo, own = (
        home.demo(DEMO),
        {"deployment_folder": str(person.folder), "deployment_replicas": {"service1": 2}},
    )
    command = commands(home.play("render", demo=demo, render_to=str(person.folder)))
    for name in ("manifests.yaml", "template.yaml"):
        assert "PRIVATE KEY" not in (person.folder / name).read_text()
    assert "parameter NAMESPACE is required" in person.types(
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
    person.types(command.replace(" | oc ", f"{options} | oc "))
    person.waits()

    hosts = {one["metadata"]["name"]: one["spec"].get("host") or "" for one in home.objects("Route")}
    assert hosts[route] == "shop.example.com"
    assert_believed(person)
    assert len(hosts) == 3
    assert len(home.pods(DEMO, "service1")) == 2
    for pod in home.objects("Pod"):
        assert pod["spec"]["securityContext"]["fsGroup"] == int(
            UIDS["openshift.io/sa.scc.uid-range"].split("/")[0]
        )
        every = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
        assert {one["image"] for one in every if one["name"] == "envoy"} == {image}
        ids = person.types(f"{person.kubectl} exec {pod['metadata']['name']} --container envoy -- id")
        assert "uid=1000650000" in ids
        assert "gid=0(root)" in ids
    assert f"{home.prefix}-front-proxy-service1   N/A" in person.types(
        f"{person.kubectl} get poddisruptionbudgets"
    )
    assert HOLD in home.play("verify", demo=demo, **own).words

    # Pods of another image are replaced by the demo's own; the edge knows these alone before anything is sent.
    assert HOLD in home.play("site", demo=demo, **own).words
    assert home.play("site", "--skip-tags", "verify", demo=demo, **own).recap["changed"] == 0
    home.play("teardown", demo=demo, **own)
    assert home.remaining(DEMO) == []
