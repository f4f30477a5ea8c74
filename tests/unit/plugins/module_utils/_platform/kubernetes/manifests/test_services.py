# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of Services, Routes and HTTPRoutes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from manifest_objects import APP, ENVOY, objects, pod

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    ClusterSettings,
    read_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.layout import (
    OpenShiftPlatform,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Port,
    Workload,
)


def test_group_has_headless_and_published_service() -> None:
    planned = objects(settings=ClusterSettings(service_type="NodePort"))
    headless, public = planned["Service/my-demo-web-1-pods"]["spec"], planned["Service/my-demo-web-1"]["spec"]
    assert headless["clusterIP"] == "None"
    assert [one["port"] for one in headless["ports"]] == [10000]
    assert public["type"] == "NodePort"
    assert [(one["name"], one["port"], one["targetPort"]) for one in public["ports"]] == [
        ("tls-in", 8443, 8443)
    ]
    assert headless["selector"] == public["selector"] == {
        "meshlab.envoy/demo": "my_demo",
        "app.kubernetes.io/name": "web-1",
    }  # fmt: skip


def test_service_selects_the_pods_of_another_group() -> None:
    exporter = Workload(
        name="statsd_exporter",
        command=("statsd_exporter",),
        image="exporter:1",
        network="web_1-envoy",
        ports=(Port(9102, 9102, name="http", scheme="http"),),
        group="statsd_exporter",
        container="statsd-exporter",
        sidecar=True,
    )
    planned = objects(ENVOY, APP, exporter)
    assert [one["name"] for one in pod(planned)["initContainers"]] == ["envoy", "statsd-exporter"]
    service = planned["Service/my-demo-statsd-exporter"]["spec"]
    assert service["selector"]["app.kubernetes.io/name"] == "web-1"


OPENSHIFT_DEFAULTS = OpenShiftPlatform.default_settings


@pytest.mark.parametrize(
    ("termination", "tls"),
    [
        ("passthrough", {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Redirect"}),
        ("reencrypt", {"termination": "reencrypt", "insecureEdgeTerminationPolicy": "Redirect"}),
    ],
)
def test_route_to_tls_has_the_chosen_termination(termination: str, tls: dict[str, str]) -> None:
    settings = read_settings({"domain": "apps.example.com", "termination": termination}, OPENSHIFT_DEFAULTS)
    route = objects(settings=settings)["Route/my-demo-web-1-tls-in"]
    assert route["spec"]["tls"] == tls
    assert route["spec"]["host"] == "my-demo-web-1-tls-in.apps.example.com"
    assert ("annotations" in route["metadata"]) == (termination == "reencrypt")


OPENSHIFT = read_settings({"domain": "apps.example.com"}, OPENSHIFT_DEFAULTS)


def test_route_to_http_terminates_tls() -> None:
    edge = replace(APP, network=None, ports=(Port(8080, 8080, name="http", scheme="http"),))
    route = objects(edge, settings=OPENSHIFT)["Route/my-demo-web-1-http"]
    assert route["spec"]["tls"]["termination"] == "edge"


def test_http_route_is_attached_to_its_gateway() -> None:
    edge = replace(APP, network=None, ports=(Port(8080, 80, name="http", scheme="http"),))
    settings = ClusterSettings(gateway="infra/public", domain="example.com")
    route = objects(edge, settings=settings)["HTTPRoute/my-demo-web-1-http"]["spec"]
    assert route["parentRefs"] == [{"name": "public", "namespace": "infra"}]
    assert route["hostnames"] == ["my-demo-web-1-http.example.com"]
    assert route["rules"] == [{"backendRefs": [{"name": "my-demo-web-1", "port": 80}]}]
