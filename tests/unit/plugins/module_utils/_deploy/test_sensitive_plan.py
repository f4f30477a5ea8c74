# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the texts of a plan that no result contains."""

from __future__ import annotations

import json

import pytest
from shop_demo import Planner, changed

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.sensitive_plan import (
    sensitive_paths,
    sensitive_texts,
)

SECRETS = [{"name": "token", "generic_secret": {"secret": {"inline_string": "TOP-SECRET-TOKEN"}}}]
# Without the exporter, which needs a shared network on docker.
WITH_SECRETS = changed("proxies.edge.bootstrap", {"static_resources": {"secrets": SECRETS}})
del WITH_SECRETS["statsd_exporter"]
ROUTES = ("routes/http", "routes/https", "routes/inner")
SECRETS_OF_TLS = ("secrets/tls_certificate", "secrets/validation_context")
WATCHED = {f"edge/{name}.yaml" for name in ("clusters", "listeners", *ROUTES, *SECRETS_OF_TLS)}


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes", "openshift"])
def test_plan_without_sensitive_texts_has_no_secret(plan: Planner, platform: str) -> None:
    text = json.dumps(planned := plan(WITH_SECRETS, platform))
    assert sensitive_paths(planned) == {"edge/bootstrap.yaml"}
    for secret in sensitive_texts(planned):
        text = text.replace(json.dumps(secret), '"hidden"')
    assert "hidden" in text
    assert "TOP-SECRET-TOKEN" not in text
    assert "VE9QLVNFQ1JFVC1UT0tFTg" not in text


def test_secret_in_a_cluster_makes_the_watched_files_sensitive(plan: Planner) -> None:
    password = {"password": {"inline_string": "TOP-SECRET"}}
    data = changed("proxies.edge.clusters.web.cluster", {"metadata": {"filter_metadata": {"x": password}}})
    assert sensitive_paths(plan(data)) == WATCHED


def test_author_marks_all_files_of_a_proxy(plan: Planner) -> None:
    assert sensitive_paths(plan(changed("proxies.edge.sensitive", True))) == {
        "edge/bootstrap.yaml",
        *WATCHED,
    }


@pytest.mark.parametrize(("platform", "mode"), [("local", "0600"), ("docker", "0644")])
def test_sensitive_file_has_the_mode_of_a_private_key(plan: Planner, platform: str, mode: str) -> None:
    modes = {one["path"]: one["mode"] for one in plan(WITH_SECRETS, platform)["files"]}
    assert modes["edge/bootstrap.yaml"] == mode
