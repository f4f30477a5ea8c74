# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the commands that run the manifests without Ansible."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from shop_demo import Planner, shop


@pytest.mark.parametrize("platform", ["kubernetes", "openshift"])
def test_commands_add_the_authority_to_routes(plan: Planner, platform: str, tmp_path: Path) -> None:
    """A shell runs the commands with a fake kubectl and oc, which record their arguments."""
    demo = {key: one for key, one in shop().items() if key != "statsd_exporter"}
    again = plan(demo, platform, kubernetes={"routes": True, "termination": "reencrypt"})
    (tmp_path / "edge/certs").mkdir(parents=True)
    authority = "-----BEGIN CERTIFICATE-----\nMIIB/+=\n-----END CERTIFICATE-----\n"
    (tmp_path / "edge/certs/ca.crt").write_text(authority)
    last = again["commands"][-1]
    stand_in = 'oc() { printf "%s\\0" "$@" >> arguments; }; kubectl() { oc "$@"; }; '
    subprocess.run(["/bin/sh", "-c", stand_in + last], cwd=tmp_path, check=True)
    arguments = (tmp_path / "arguments").read_text().split("\0")
    if platform == "kubernetes":
        assert arguments[:-2] == ["patch", "route", "shop-edge-https", "--type", "merge", "--patch"]
        assert json.loads(arguments[-2]) == {"spec": {"tls": {"destinationCACertificate": authority}}}
    else:
        assert f"CA_CERTIFICATE={authority.rstrip()}" in arguments
    # Without such a Route, no command mentions the authority.
    usual = plan(demo, platform, kubernetes={"routes": True})
    assert not any("ca.crt" in one for one in usual["commands"])


def shop_alone() -> dict[str, Any]:
    """Return the shop without its exporter, whose style does not work across pods."""
    return {key: one for key, one in shop().items() if key != "statsd_exporter"}


@pytest.mark.parametrize(
    ("cluster", "flags"),
    [
        ({}, ""),
        ({"context": "", "namespace": "demos"}, " --namespace demos"),
        ({"context": "a lab", "namespace": "demos"}, " --context 'a lab' --namespace demos"),
    ],
)
def test_commands_name_cluster_and_namespace(plan: Planner, cluster: dict[str, str], flags: str) -> None:
    for platform, tool in (("kubernetes", "kubectl"), ("openshift", "oc")):
        planned = plan(shop_alone(), platform, cluster=cluster)
        assert planned["commands"], platform
        for command in planned["commands"]:
            assert command.startswith(f"{tool}{flags} "), command
        [first, *_others] = planned["addresses"]
        assert f"after: kubectl{flags} port-forward service/shop-edge" in first["what"]
    project = "demos" if cluster else "$(oc project -q)"
    last = planned["commands"][-1]
    assert last == f"oc{flags} process -f template.yaml -p NAMESPACE={project} | oc{flags} create -f -"


def test_drain_command_needs_only_bash(plan: Planner) -> None:
    """Also a refused connection does not fail the shell."""
    planned = plan(shop_alone(), "kubernetes")["workloads"]
    drains = {one["name"]: one["drain"] for one in planned if one["image"] == "envoy:1"}
    assert len(drains) == 2
    assert len(set(drains.values())) == 1
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = f"PATH=; {drains['edge']}; echo went on".replace("/9901", f"/{listener.getsockname()[1]}")
        with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE) as running:
            connection, _address = listener.accept()
            with connection, connection.makefile("r", newline="\r\n") as request:
                line, *headers = iter(request.readline, "\r\n")
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            assert running.communicate(timeout=10)[0] == b"went on\n"
    assert line == "POST /drain_listeners?graceful&skip_exit HTTP/1.1\r\n"
    assert "Content-Length: 0\r\n" in headers
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=10, check=False)
    assert (ran.returncode, ran.stdout) == (0, "went on\n")


@pytest.mark.parametrize("platform", ["kubernetes", "openshift"])
def test_secrets_of_sensitive_files_are_created_from_files(plan: Planner, platform: str) -> None:
    demo = {key: one for key, one in shop().items() if key not in ("statsd_exporter", "traffic")}
    demo["proxies"]["edge"]["sensitive"] = True
    planned = plan(demo, platform)
    [secret] = [one for one in planned["manifests"] if one["kind"] == "Secret" and one.get("data")]
    name = secret["metadata"]["name"]
    [created] = [one for one in planned["commands"] if f"create secret generic {name} " in one]
    files = dict(one.removeprefix("--from-file=").split("=") for one in created.split()[5:])
    assert files.keys() == secret["data"].keys()
    assert files["listeners.yaml"] == "edge/listeners.yaml"
    documents = [one for one in planned["files"] if one["path"] in ("manifests.yaml", "template.yaml")]
    assert documents
    assert not any(secret["data"]["listeners.yaml"] in one["content"] for one in documents)
