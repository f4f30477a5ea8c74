# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the OpenShift Template."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from manifest_objects import APP, objects

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.cluster_settings import (
    read_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.layout import (
    OpenShiftPlatform,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.template import template

OPENSHIFT_DEFAULTS = OpenShiftPlatform.default_settings


OPENSHIFT = read_settings({"domain": "apps.example.com"}, OPENSHIFT_DEFAULTS)


def test_template_has_parameters() -> None:
    planned = template("my_demo", "A demo", list(objects(settings=OPENSHIFT).values()))
    parameters = {one["name"]: one.get("value") for one in planned["parameters"]}
    assert parameters == {
        "NAMESPACE": None,
        "MY_DEMO_WEB_1_TLS_IN_HOST": "my-demo-web-1-tls-in.apps.example.com",
        "WEB_1_REPLICAS": "3",
        "ENVOY_IMAGE": "envoy:1",
        "APP_IMAGE": "python:3",
    }
    deployment = next(one for one in planned["objects"] if one["kind"] == "Deployment")
    assert deployment["spec"]["replicas"] == "${{WEB_1_REPLICAS}}"
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "${APP_IMAGE}"
    assert {one["metadata"]["namespace"] for one in planned["objects"]} == {"${NAMESPACE}"}
    # Kubernetes' own $(POD_NAME) is no parameter.
    assert "$(POD_NAME)" in json.dumps(planned)


def test_template_needs_the_authority_of_its_routes() -> None:
    settings = read_settings({"termination": "reencrypt"}, OPENSHIFT_DEFAULTS)
    planned = template("my_demo", "A demo", list(objects(settings=settings).values()))
    [parameter] = [one for one in planned["parameters"] if one["name"] == "CA_CERTIFICATE"]
    assert parameter["required"]
    assert "web_1/certs/ca.crt" in parameter["description"]
    [route] = [one for one in planned["objects"] if one["kind"] == "Route"]
    assert route["spec"]["tls"]["destinationCACertificate"] == "${CA_CERTIFICATE}"


@pytest.mark.parametrize("replicas", [1, 3])
def test_template_has_a_budget_for_each_group(replicas: int) -> None:
    own = replace(APP, network=None, replicas=replicas)
    planned = template("my_demo", "", list(objects(own).values()))
    [budget] = [one for one in planned["objects"] if one["kind"] == "PodDisruptionBudget"]
    assert budget["metadata"]["name"] == "my-demo-web-1"
    assert budget["metadata"]["namespace"] == "${NAMESPACE}"
    assert budget["spec"]["maxUnavailable"] == 1


def test_different_images_have_different_parameters() -> None:
    other = replace(APP, name="db", group="db", image="postgres:17", network=None)
    planned = template("my_demo", "", list(objects(replace(APP, network=None), other).values()))
    parameters = {one["name"]: one.get("value") for one in planned["parameters"]}
    assert parameters["APP_IMAGE"] == "python:3"
    assert parameters["DB_APP_IMAGE"] == "postgres:17"
