# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specification of endpoints matches the documentation."""

from __future__ import annotations

from typing import Any

import yaml

from ansible_collections.meshlab.envoy.plugins.doc_fragments.endpoints import ModuleDocFragment
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_options import (
    ENDPOINT_ARGS,
    ENDPOINT_OPTIONS,
    invocation_of,
)


def shape(options: dict[str, Any], nested: str) -> dict[str, Any]:
    """Return the parts of options that a specification and its documentation have in common."""
    keys = ("type", "elements", "choices", "default", "required")
    return {
        name: {key: option[key] for key in keys if key in option}
        | {"options": shape(option.get(nested, {}), nested)}
        for name, option in options.items()
    }


def test_documentation_has_the_same_options() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert shape(documented, "suboptions") == shape(ENDPOINT_ARGS, "options")


def test_invocation_has_no_options_with_their_default() -> None:
    defaults = {name: option.get("default") for name, option in ENDPOINT_OPTIONS.items()}
    given = {"name": "e", "url": "http://e", "validate_certs": False}
    params = {
        "url": None,
        "concurrency": 64,
        "endpoints": [{**defaults, **given}, {**defaults, "url": "http://x"}],
    }
    assert invocation_of(params) == {"module_args": {**params, "endpoints": [given, {"url": "http://x"}]}}
    assert invocation_of({"endpoints": None, "url": "x"}) == {"module_args": {"endpoints": None, "url": "x"}}
