# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner takes from the collection's own files. Private to this collection: it can change at any time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import from_yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
DEMO_APP = ROLES / "demo_app" / "files" / "demo_app.py"
STATSD_MAPPINGS = ROLES / "statsd_exporter" / "files"
STATSD_STYLES = ("dog_statsd", "statsd")


def complete_context(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context with the demo app's source and the statsd mappings of this collection, unless it contains its own."""
    completed = {key: value for key, value in context.items() if value is not None}
    if "app" not in completed:
        completed["app"] = DEMO_APP.read_text(encoding="utf-8")
    if "mappings" not in completed:
        completed["mappings"] = {style: _statsd_mapping(style) for style in STATSD_STYLES}
    return completed


def _statsd_mapping(style: str) -> Any:
    return from_yaml((STATSD_MAPPINGS / f"{style}.yaml").read_text(encoding="utf-8"))
