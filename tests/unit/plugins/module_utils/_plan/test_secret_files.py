# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of files with values from Ansible Vault or a template."""

from __future__ import annotations

from typing import Any

import pytest
from shop_demo import changed

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

SECRET = "s3cret {{ not a template }}"
SOURCE = DemoSource(secrets=frozenset([SECRET]))


def planned(data: dict[str, Any], platform: str) -> Any:
    del data["statsd_exporter"]
    context = {
        "platform": platform,
        "folder": "/state",
        "envoy": {"image": "e", "executable": "e"},
        "python": {"image": "p", "executable": "p"},
        "app": "x",
    }
    return make_plan("shop", data, context, source=SOURCE)


def sensitive(plan: Any) -> set[str]:
    return {one["path"] for one in plan["files"] if one["sensitive"]}


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_value_makes_the_watched_files_sensitive(platform: str) -> None:
    header = {"header": {"key": "x-plan", "value": SECRET}}
    routes = [
        {"match": {"prefix": "/"}, "direct_response": {"status": 200}, "request_headers_to_add": [header]}
    ]
    data = changed("proxies.edge.listeners.http.routes", routes)
    plan = planned(data, platform)
    names = ["clusters", "listeners", "routes/http", "routes/https", "routes/inner"]
    if platform != "kubernetes":  # where the files of secrets are no watched files
        names += ["secrets/tls_certificate", "secrets/validation_context"]
    assert sensitive(plan) == {f"edge/{name}.yaml" for name in names}
    assert SECRET in next(one["content"] for one in plan["files"] if one["path"] == "edge/routes/http.yaml")


@pytest.mark.parametrize(
    ("platform", "document"), [("local", "supervisord.conf"), ("docker", "compose.yaml")]
)
def test_value_in_an_environment_makes_the_document_sensitive(platform: str, document: str) -> None:
    data = changed("services.web.app.environment", {"PASSWORD": SECRET})
    assert sensitive(planned(data, platform)) == {document}


def test_value_in_an_environment_is_refused_in_a_cluster() -> None:
    data = changed("services.web.app.environment", {"PASSWORD": SECRET})
    with pytest.raises(DemoError) as error:
        planned(data, "kubernetes")
    assert str(error.value).startswith("shop: Deployment shop-web would contain a value from Ansible Vault")
    assert SECRET not in str(error.value)
