# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other admin pages of a real Envoy: rejected updates, certificates, and the health of hosts."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_envoy import TYPES, Envoy, answering, run

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST
from ansible_collections.meshlab.envoy.plugins.modules import (
    envoy_config_dump_info,
    envoy_stats,
    envoy_stats_info,
)

CONFIG = "type.googleapis.com/envoy.config"
LISTENER, CLUSTER = f"{CONFIG}.listener.v3.Listener", f"{CONFIG}.cluster.v3.Cluster"
ROUTES, HOSTS = (
    f"{CONFIG}.route.v3.RouteConfiguration",
    f"{CONFIG}.endpoint.v3.ClusterLoadAssignment",
)
SECRET = f"{TYPES}.transport_sockets.tls.v3.Secret"
HEALTH = ("UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED")


class Dynamic(Envoy):
    """An Envoy whose resources all come from watched files."""

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        names = subject(folder)
        self.put("lds", "1", self.listener())
        self.put("cds", "1", self.cluster())
        self.put("rds", "1", self.routes())
        self.put("eds", "1", self.hosts())
        self.put("sds", "1", self.secret(names))
        dynamic = {"lds_config": self.source("lds"), "cds_config": self.source("cds")}
        super().__init__(folder, {"stats_flush_on_admin": True, "dynamic_resources": dynamic}, version)

    def put(self, kind: str, version: str, *resources: dict[str, Any]) -> None:
        written = self.folder / f"{kind}.new"
        written.write_text(json.dumps({"version_info": version, "resources": list(resources)}))
        written.replace(self.folder / f"{kind}.json")

    def source(self, kind: str) -> dict[str, Any]:
        return {
            "path_config_source": {"path": f"{self.folder}/{kind}.json"},
            "resource_api_version": "V3",
        }

    def listener(self) -> dict[str, Any]:
        listener = answering()
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        del manager["route_config"]
        manager["rds"] = {"route_config_name": "routes", "config_source": self.source("rds")}
        secrets = [{"name": "key", "sds_config": self.source("sds")}]
        tls = {
            "@type": f"{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificate_sds_secret_configs": secrets},
        }
        listener["filter_chains"][0]["transport_socket"] = {"name": "tls", "typed_config": tls}
        return {"@type": LISTENER, **listener}

    def cluster(self, **more: Any) -> dict[str, Any]:
        config = {"eds_config": self.source("eds")}
        return {"@type": CLUSTER, "name": "web", "type": "EDS", "eds_cluster_config": config, **more}

    def routes(self, *more: dict[str, Any]) -> dict[str, Any]:
        return {"@type": ROUTES, "name": "routes", "virtual_hosts": [{"name": "a", "domains": ["*"]}, *more]}

    def hosts(self, priority: int = 0) -> dict[str, Any]:
        hosts = [{"endpoint": at(number), "health_status": one} for number, one in enumerate(HEALTH, 1)]
        return {
            "@type": HOSTS,
            "cluster_name": "web",
            "endpoints": [{"lb_endpoints": hosts, "priority": priority}],
        }

    def secret(self, certificate: dict[str, Any]) -> dict[str, Any]:
        return {"@type": SECRET, "name": "key", "tls_certificate": certificate}


def at(port: int) -> dict[str, Any]:
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}


def subject(folder: Path) -> dict[str, Any]:
    """Create a certificate for 20 days and its key, and return Envoy's configuration of them."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "20", "-subj", "/CN=edge"]
    made += ["-addext", "subjectAltName=DNS:edge.example,IP:127.0.0.1"]
    subprocess.run(
        [*made, "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, check=True, capture_output=True
    )
    return {
        "certificate_chain": {"filename": f"{folder}/cert.pem"},
        "private_key": {"filename": f"{folder}/key.pem"},
    }


@pytest.fixture(params=[NEWEST, OLDEST])
def envoy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Dynamic]:
    started = Dynamic(tmp_path, request.param)
    yield started.start()  # type: ignore[misc]
    started.stop()


def assert_stats(envoy: Envoy, *assertions: dict[str, Any]) -> None:
    result = run(envoy_stats, url=envoy.url, assertions=list(assertions), wait=True, timeout=30, sleep=0.1)
    assert not result.get("failed"), result["msg"]


def config(stat: str, op: str, value: Any) -> dict[str, Any]:
    return {"source": "config", "stat": stat, "op": op, "value": value}


def test_rejected_updates_are_counted(envoy: Dynamic) -> None:
    kinds = ("lds", "cds", "rds", "eds", "sds")
    assert_stats(
        envoy,
        *(config(f"{kind}.rejected", "eq", 0) for kind in kinds),
        *(config(f"{kind}.resources", "eq", 1) for kind in kinds),
        *(config(f"{kind}.version_info", "eq", "1") for kind in ("lds.main", "cds.web", "rds.routes")),
        config("lds.version_info", "eq", "1"),
        config("lds.main.rejected", "eq", 0),
    )
    unknown = {
        "name": "nosuch",
        "typed_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "x"},
    }
    bad = {**answering(name="bad"), "filter_chains": [{"filters": [unknown]}]}
    envoy.put("lds", "2", envoy.listener(), {"@type": LISTENER, **bad})
    envoy.put("cds", "2", envoy.cluster(), envoy.cluster(name="bad", connect_timeout="-5s"))
    envoy.put("rds", "2", envoy.routes({"name": "b", "domains": ["*"]}))
    envoy.put("eds", "2", envoy.hosts(priority=500))
    envoy.put("sds", "2", envoy.secret({"certificate_chain": {"filename": "/nowhere.pem"}}))
    assert_stats(
        envoy,
        *(config(f"{kind}.rejected", "eq", 1) for kind in kinds),
        config("lds.bad.rejected", "eq", 1),
        config("lds.bad.error", "matches", ".*nosuch.*"),
        config("lds.main.rejected", "eq", 0),
        config("lds.resources", "eq", 1),
        {"source": "config", "match": r"lds\..*\.rejected", "across": "sum", "op": "eq", "value": 1},
        # The accepted resources stay.
        *(config(f"{kind}.version_info", "eq", "1") for kind in ("lds.main", "cds.web", "rds.routes")),
    )
    readings = run(envoy_config_dump_info, url=envoy.url)["dumps"]["envoy"]["listeners"]
    assert [(one["name"], bool(one["error"])) for one in readings] == [("main", False), ("bad", True)]
    # An accepted update removes the reason, and keeps the count.
    envoy.put("lds", "3", envoy.listener())
    assert_stats(
        envoy,
        config("lds.rejected", "eq", 1),
        {"source": "config", "stat": "lds.bad.rejected", "op": "absent"},
    )


def test_text_readout_is_compared_as_text(envoy: Dynamic) -> None:
    """The version of the resources in a file is a text readout."""
    version = {"stat": "cluster_manager.cds.version_text"}
    assert_stats(
        envoy,
        {**version, "op": "eq", "value": "1"},
        {**version, "op": "eq", "value": 1},
        {**version, "op": "ne", "value": "2"},
        {**version, "op": "matches", "value": "[0-9]"},
        {**version, "op": "in", "value": ["1", "2"]},
    )
    envoy.put("cds", "v2-é", envoy.cluster())
    assert_stats(envoy, {**version, "op": "matches", "value": "v2-."}, {**version, "op": "ne", "value": "1"})
    failed = run(
        envoy_stats,
        url=envoy.url,
        assertions=[{**version, "op": "eq", "value": "1"}, {**version, "op": "gt", "value": 1}],
    )
    assert [one["observed"] for one in failed["assertions"]] == ["v2-é", "v2-é"]
    assert "expected '1', got 'v2-é'" in failed["msg"]
    counted = {**version, "across": "sum", "op": "ge", "value": 0}
    assert "is text, which has no sum" in run(envoy_stats, url=envoy.url, assertions=[counted])["msg"]


def test_removed_cluster_fails_a_difference(envoy: Dynamic) -> None:
    everything = {"match": r"cluster\..*", "of": "delta", "across": "sum", "op": "ge", "value": 0}
    before = run(envoy_stats_info, url=envoy.url)
    envoy.put("cds", "2")
    assert_stats(envoy, {"stat": "cluster_manager.active_clusters", "op": "eq", "value": 0})
    result = run(envoy_stats, url=envoy.url, assertions=[everything], since=before)
    assert result["failure"] == "restarted"
    assert "cluster.web." in result["msg"]
    assert "does not exist any more" in result["msg"]


def test_certificate_from_sds_is_read(envoy: Dynamic) -> None:
    # A certificate from SDS has no path, so its first alternative name is its name.
    name = "chain.edge.example"
    assert_stats(
        envoy,
        {"source": "certs", "stat": f"{name}.days_left", "op": "in", "value": [19, 20]},
        {"source": "certs", "stat": f"{name}.names", "op": "eq", "value": "edge.example,127.0.0.1"},
        {"source": "certs", "match": r"chain\..*\.days_left", "across": "min", "op": "ge", "value": 14},
    )
    readings = run(envoy_stats_info, url=envoy.url, sources=["certs"])["readings"]["envoy"]["certs"]
    expires = dt.datetime.fromisoformat(readings[f"{name}.expires"].replace("Z", "+00:00"))
    left = expires - dt.datetime.now(dt.UTC)
    assert left.days in (19, 20)
    soon = {"source": "certs", "match": r"chain\..*\.days_left", "op": "ge", "value": 30}
    failed = run(envoy_stats, url=envoy.url, assertions=[soon])
    assert failed["failure"] == "comparison"
    assert "chain.edge.example.days_left" in str(failed["assertions"][0]["readings"])


def test_bound_counts_equal_samples_in_each_format(tmp_path: Path) -> None:
    """Eleven bodies of ten bytes are at most ten bytes long, in Envoy's bins and in Prometheus' format."""
    pipe = {"pipe": {"path": "shop.sock"}}
    ten = {"direct_response": {"status": 200, "body": {"inline_string": "0123456789"}}}
    shop = {
        "name": "shop",
        "type": "STATIC",
        "track_cluster_stats": {"request_response_sizes": True},
        "load_assignment": {
            "cluster_name": "shop",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": pipe}}]}],
        },
    }
    listeners = [answering({"route": {"cluster": "shop"}}), {**answering(ten, "shop"), "address": pipe}]
    envoy = Envoy(
        tmp_path,
        {"stats_flush_on_admin": True, "static_resources": {"listeners": listeners, "clusters": [shop]}},
    )
    try:
        envoy.start()
        port = envoy.port()
        for _number in range(11):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).close()
        bodies = {"stat": "cluster.shop.upstream_rs_body_size", "op": "eq", "value": 11}
        labels = {
            "stat": "envoy_cluster_upstream_rs_body_size",
            "labels": {"envoy_cluster_name": "shop"},
        }
        assertions = [
            {**bodies, "bucket": 10},
            {**bodies, **labels, "bucket": 10},
            {**bodies, "bucket": 9, "value": 0},
        ]
        result = run(envoy_stats, url=envoy.url, assertions=assertions, wait=True, timeout=10)
        assert not result.get("failed"), result["msg"]
        assert [one["error"] for one in result["assertions"]] == [0, 0, 0]
    finally:
        envoy.stop()


def test_ejected_host_is_counted(tmp_path: Path) -> None:
    """Outlier detection ejects the host after its first response with 503."""
    pipe = {"pipe": {"path": "shop.sock"}}
    shop = {
        "name": "shop",
        "type": "STATIC",
        "outlier_detection": {"consecutive_5xx": 1, "max_ejection_percent": 100, "base_ejection_time": "60s"},
        "load_assignment": {
            "cluster_name": "shop",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": pipe}}]}],
        },
    }
    fails = {"direct_response": {"status": 503}}
    listeners = [answering({"route": {"cluster": "shop"}}), {**answering(fails, "shop"), "address": pipe}]
    envoy = Envoy(tmp_path, {"static_resources": {"listeners": listeners, "clusters": [shop]}})
    hosts = {"source": "clusters", "op": "eq"}
    try:
        envoy.start()
        assert_stats(
            envoy,
            {**hosts, "stat": "shop.ejected", "value": 0},
            {**hosts, "stat": "shop.healthy", "value": 1},
        )
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{envoy.port()}/", timeout=10).close()
        assert_stats(
            envoy,
            {**hosts, "stat": "shop.ejected", "value": 1},
            {**hosts, "stat": "shop.healthy", "value": 0},
            {**hosts, "stat": "shop.unix://shop.sock.ejected", "value": 1},
            {**hosts, "match": r"shop\..*shop\.sock\.healthy", "value": 0},
            {"stat": "cluster.shop.outlier_detection.ejections_active", "op": "eq", "value": 1},
            {"stat": "cluster.shop.membership_healthy", "op": "eq", "value": 0},
        )
    finally:
        envoy.stop()


def test_healthy_hosts_are_those_of_envoys_stats(envoy: Dynamic) -> None:
    readings = run(envoy_stats_info, url=envoy.url, sources=["stats", "clusters"])["readings"]["envoy"]
    for name, stat in (("healthy", "healthy"), ("degraded", "degraded"), ("hosts", "total")):
        assert readings["clusters"][f"web.{name}"] == readings["stats"][f"cluster.web.membership_{stat}"]
    hosts = {
        one: readings["clusters"][f"web.127.0.0.1:{number}.healthy"] for number, one in enumerate(HEALTH, 1)
    }
    assert {one for one, healthy in hosts.items() if healthy} == {"UNKNOWN", "HEALTHY"}


@pytest.mark.parametrize("version", [NEWEST, OLDEST])
def test_standby_host_is_in_no_reading(tmp_path: Path, version: str) -> None:
    standby = {"endpoint": at(2), "health_status": "DEGRADED"}
    shop = {
        "name": "shop:a",
        "type": "STATIC",
        "track_cluster_stats": {"per_endpoint_stats": True},
        "load_assignment": {
            "cluster_name": "shop:a",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": at(1)}]},
                {"priority": 1, "lb_endpoints": [standby]},
            ],
        },
    }
    envoy = Envoy(tmp_path, {"static_resources": {"clusters": [shop]}}, version)
    hosts = {"of": "value", "across": "count", "op": "eq"}
    metric, cluster = "envoy_cluster_membership_total", {"envoy_cluster_name": "shop_a"}
    numbers = [
        {"stat": "cluster.shop_a.membership_total", "op": "eq"},
        {"match": r"cluster\.shop_a\.endpoint\..*\.rq_total", **hosts},
        {"stat": metric, "labels": cluster, "op": "eq"},
        {"stat": "envoy_cluster_endpoint_rq_total", "labels": cluster, **hosts},
        {"source": "clusters", "stat": "shop:a.hosts", "op": "eq"},
        {"source": "clusters", "match": r"shop:a\..*\.rq_total", **hosts},
    ]
    try:
        envoy.start()
        for names, number in (([], 2), (["other"], 2), (["shop:a"], 1)):
            endpoint = {"name": "edge", "url": envoy.url, "standby": names}
            expected = [{**one, "value": number} for one in numbers]
            result = run(envoy_stats, endpoints=[endpoint], assertions=expected)
            assert not result.get("failed"), result["msg"]
    finally:
        envoy.stop()
