# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unknown and missing keys of a demo: a near name, the place to which a key belongs, an example of its value."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import (
    CLUSTER,
    DEMO,
    LISTENER,
    PROXY,
    Schema,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_types import field_named
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.field_names import (
    article,
    listed,
    near,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    BOOTSTRAP,
    HTTP_CONNECTION_MANAGER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import CLUSTER as CLUSTER_MESSAGE
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import LISTENER as LISTENER_MESSAGE

# Keys of a schema that hold messages of Envoy.
MESSAGES = (
    (CLUSTER, (("cluster", CLUSTER_MESSAGE),)),
    (
        LISTENER,
        (
            ("http_connection_manager", HTTP_CONNECTION_MANAGER),
            ("listener", LISTENER_MESSAGE),
            ("routes[0]", "envoy.config.route.v3.Route"),
            ("routes[0].route", "envoy.config.route.v3.RouteAction"),
        ),
    ),
    (PROXY, (("bootstrap", BOOTSTRAP),)),
)
# The ratio of difflib from which on a key of this mapping is the meant one, whatever exists elsewhere.
SAME = 0.8
PLACES = 2


# What to add for a required key.
REQUIRED = {
    "summary": "Add one sentence about what happens, such as 'summary: All requests reach web'.",
    "port": "Add the port to listen on, such as 'port: 8080'.",
    "image": "Add the image of the program, such as 'image: redis:7.4'.",
    "command": "Add the program and its arguments as a list.",
    "address": "Add a host name or an IP address.",
}


def missing_remedy(key: str) -> str:
    """Return what to do about a required key that is missing."""
    return REQUIRED.get(key, "Add the key.")


def check_key(key: str, schema: Schema, file: str, path: str) -> None:
    """Raise DemoError if a mapping of a demo has no key `key`.

    Args:
        key: The key.
        schema: The schema of the mapping.
        file: Name of the demo file.
        path: Path of the mapping. Empty at the top of the file.
    """
    if key in schema.options:
        return
    prefix = f"{path}: " if path else ""
    raise DemoError(file, f"{prefix}{_problem(key, schema)}")


def _problem(key: str, schema: Schema) -> str:
    unknown = f"unknown key '{key}'."
    if not near(key, schema.options, SAME):
        if places := list(_places(key, DEMO, ""))[:PLACES]:
            return f"{unknown} It is a key of {listed(places, 'and')}: indent it or move it there."
        for known, messages in MESSAGES:
            for place, kind in messages if known is schema else ():
                if field_named(kind, key):
                    return f"{unknown} It is a field of {article(kind)} of Envoy: move it into '{place}'."
    return unknown_name("key", key, schema.options)


def _places(key: str, schema: Schema, path: str) -> Iterator[str]:
    """Yield the mappings below a schema that have a key, such as `proxies.NAME`; those near the top first."""
    below = [(f"{path}.{name}".lstrip("."), one) for name, one in schema.nested.items()]
    below += [(f"{path}.{name}.NAME".lstrip("."), one) for name, one in schema.entries.items()]
    below.sort(key=lambda one: not one[0].startswith("proxies"))
    yield from (where for where, one in below if key in one.options)
    for where, one in below:
        if not where.startswith("changes"):
            yield from _places(key, one, where)
