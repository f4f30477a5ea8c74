# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that are renewed while an Envoy uses them: without a restart, under requests, and confirmed by the served serial number."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cases import CaseDeployment, PortBlock, case_deployments
from certificates import new_authority, new_certificate
from kept_connections import Answers, requests_on

from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.serial_number import (
    serial_number,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect

# A certificate that is due as soon as it is issued.
SHORT_LIVED = {"days": 30, "renew_days": 30}
TLS_CERTIFICATE = "edge/certs/tls.crt"


@pytest.fixture(
    params=[
        "local",
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("kubernetes", marks=pytest.mark.kubernetes),
    ]
)
def made(request: pytest.FixtureRequest) -> Iterator[CaseDeployment]:
    """Return a deployment on a platform."""
    with case_deployments() as deployments:
        yield deployments(request.param)


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def on_host(request: pytest.FixtureRequest) -> Iterator[CaseDeployment]:
    """Return a deployment on a platform whose Envoys watch the deployment folder."""
    with case_deployments() as deployments:
        yield deployments(request.param)


@contextmanager
def requests_to(made: CaseDeployment, block: PortBlock, authority: Path) -> Iterator[Answers]:
    """Send requests to the edge's listener with TLS during the block: to the port of this host, or to the pod."""
    tls = ssl.create_default_context(cafile=str(authority))
    tls.check_hostname = False
    with ExitStack() as stack:
        forward = None
        if made.platform == "kubernetes":
            cluster = stack.enter_context(connect(made.options["cluster"]))
            [pod] = [
                one["metadata"]["name"] for one in cluster.list("Pod", f"meshlab.envoy/demo={made.name}")
            ]
            forward = partial(cluster.forward, pod, block.first)
        yield stack.enter_context(requests_on(block.first, tls, connect=forward))


def demo(block: PortBlock, **tls: Any) -> dict[str, Any]:
    """Return a demo whose edge terminates TLS, and calls itself with a client certificate."""
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "edge"}}}
    https = {"port": block.first, "publish": block.first, "tls": tls, "routes": [answer]}
    return {"summary": "TLS", "ports": block.first, "proxies": {"edge": {"listeners": {"https": https}}}}


def test_due_certificate_is_renewed_under_requests(made: CaseDeployment, block: PortBlock) -> None:
    planned = made.plan(demo(block))
    planned["certificates"][0].update(SHORT_LIVED)
    first = made.result(planned)
    assert not first["failed"], first["msg"]
    before = serial_number((made.folder / TLS_CERTIFICATE).read_bytes())
    with requests_to(made, block, made.folder / "ca" / "ca.crt") as answers:
        deadline = time.monotonic() + 60
        result = made.result(planned)
        while not result["changed"] and time.monotonic() < deadline:
            result = made.result(planned)
        assert not result["failed"], result["msg"]
        after = serial_number((made.folder / TLS_CERTIFICATE).read_bytes())
        # The run ends when Envoy serves the new certificate, and on no connection the previous one.
        served = dict(answers.serials)
    assert (answers.lost, answers.closed) == ([], 0)
    assert (result["started"], result["restarted"]) == ([], [])
    assert set(result["files"]) >= {TLS_CERTIFICATE, "edge/certs/tls.key"}
    assert before != after
    assert set(served) <= {before, after} == set(answers.serials)
    # One handshake can have begun before the end of the run.
    assert answers.serials[before] <= served[before] + 1


def test_own_certificate_changes_under_requests(made: CaseDeployment, block: PortBlock) -> None:
    company = new_authority(made.root)
    names = "DNS:shop.example.com"
    own = {"certificate_chain": {"source": "shop.crt"}, "private_key": {"source": "shop.key"}}
    before = serial_number(new_certificate(made.root, "shop", names, company).certificate.read_bytes())
    made.deploy(demo(block, **own))
    with requests_to(made, block, company.certificate) as answers:
        after = serial_number(new_certificate(made.root, "shop", names, company).certificate.read_bytes())
        result = made.result(made.plan(demo(block, **own)))
        assert not result["failed"], result["msg"]
        served = dict(answers.serials)
        # A key of another certificate is refused before a file changes.
        (made.root / "shop.key").write_bytes(company.key.read_bytes())
        refused = made.result(made.plan(demo(block, **own)))
        assert refused["failed"]
        assert "Nothing was changed" in refused["msg"]
    assert (answers.lost, answers.closed) == ([], 0)
    assert (result["started"], result["restarted"]) == ([], [])
    assert {path for path in result["files"] if path.startswith("edge/")} == {
        "edge/tls/listeners.https/tls.crt",
        "edge/tls/listeners.https/tls.key",
    }
    assert {*answers.serials} == {before, after}
    assert answers.serials[before] <= served[before] + 1


def test_first_certificate_and_other_names_lose_no_request(on_host: CaseDeployment, block: PortBlock) -> None:
    """TLS of a listener is added, and its names change, while another listener answers."""
    data, port = demo(block), block.first + 20
    listeners = data["proxies"]["edge"]["listeners"]
    listeners["http"] = {"port": port, "publish": port, "routes": listeners["https"]["routes"]}
    del listeners["https"]["tls"]
    on_host.deploy(data)
    with requests_on(port) as answers:
        for tls in ({}, {"names": ["shop.example.com"]}):
            listeners["https"]["tls"] = tls
            result = on_host.result(on_host.plan(data))
            assert (result["failed"], result["started"], result["restarted"]) == (False, [], []), result
    assert (answers.lost, answers.closed) == ([], 0)
