# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text about a key that a mapping of a demo does not have."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import schema
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.misplaced_keys import check_key


@pytest.mark.parametrize(
    ("key", "where", "problem"),
    [
        ("clusters", schema.DEMO, "It is a key of 'proxies.NAME' and 'services.NAME.sidecar': indent it or move it there."),
        ("routes", schema.PROXY, "It is a key of 'proxies.NAME.listeners.NAME'"),
        ("publsh", schema.LISTENER, "Did you mean 'publish'?"),
        ("port", schema.DEMO, "Did you mean 'ports'?"),
        ("connect_timeout", schema.CLUSTER, "It is a field of a Cluster of Envoy: move it into 'cluster'."),
        ("retry_policy", schema.LISTENER, "It is a field of a RouteAction of Envoy: move it into 'routes[0].route'."),
        ("stat_prefix", schema.LISTENER, "It is a field of an HttpConnectionManager of Envoy: move it into 'http_connection_manager'."),
        ("layered_runtime", schema.PROXY, "It is a field of a Bootstrap of Envoy: move it into 'bootstrap'."),
        ("zzz", schema.APP, "Use one of: calls, environment, service, version."),
    ],
)  # fmt: skip
def test_unknown_key_is_refused_with_its_place(key: str, where: schema.Schema, problem: str) -> None:
    with pytest.raises(DemoError) as caught:
        check_key(key, where, "shop.yml", "a.b")
    assert str(caught.value).startswith(f"shop.yml: a.b: unknown key '{key}'. {problem}")
