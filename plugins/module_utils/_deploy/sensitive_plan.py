# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of a plan that no result and no log may contain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sensitive_paths(plan: Mapping[str, Any]) -> set[str]:
    """Return the paths of the sensitive files of a plan."""
    return {one["path"] for one in plan.get("files") or () if one.get("sensitive")}


def sensitive_texts(plan: Mapping[str, Any]) -> set[str]:
    """Return the contents of sensitive files, of their candidates in checks, and of Secrets."""
    paths = sensitive_paths(plan)
    texts = {str(one["content"]) for one in plan.get("files") or () if one["path"] in paths}
    for check in plan.get("checks") or ():
        if paths.intersection(check.get("validated_files") or ()):
            texts |= {str(one["content"]) for one in check.get("files") or ()}
    for thing in plan.get("manifests") or ():
        if thing.get("kind") == "Secret":
            texts |= {str(value) for value in (thing.get("data") or {}).values()}
    return texts - {""}
