# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner as a fixture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def plan() -> Callable[..., dict[str, Any]]:
    """Return a function that plans the data of a demo. `context` overrides a usual context.

    `files` has the content of the files relative to the demo file.
    """
    # Not at the top: a conftest.py is loaded before the collection can be imported.
    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

    def planner(
        data: Any,
        platform: str = "local",
        name: str = "shop",
        files: dict[str, bytes] | None = None,
        **context: Any,
    ) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "platform": platform,
            "folder": "/state",
            "envoy": {"version": "1.40.0", "image": "envoy:1", "executable": "envoy"},
            "python": {"image": "python:3", "executable": "python3"},
            "statsd_exporter": {"image": "exporter:1", "executable": "statsd_exporter"},
            "app": "print('app')",
            "registry": "registry.example.com",
            "mappings": {
                "dog_statsd": {"mappings": []},
                "statsd": {"mappings": [{"match": "*", "name": "x"}]},
            },
        }
        source = DemoSource(read=files.__getitem__) if files else None
        return make_plan(name, data, {**usual, **context}, f"{name}.yml", source=source)

    return planner
