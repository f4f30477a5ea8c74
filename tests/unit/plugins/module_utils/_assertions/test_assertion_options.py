# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument specifications of assertions match the parser and the documentation."""

from __future__ import annotations

from typing import Any

import yaml

from ansible_collections.meshlab.envoy.plugins.doc_fragments.assertions import ModuleDocFragment
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_options import (
    ASSERTION_ARGS,
    ASSERTION_OPTIONS,
    WAIT_ARGS,
)


def test_documentation_matches_the_options() -> None:
    def shape(options: dict[str, Any], nested: str) -> dict[str, Any]:
        keys = ("type", "elements", "choices", "default", "required")
        return {
            name: {key: option[key] for key in keys if key in option}
            | {nested: shape(option.get(nested, {}), nested)}
            for name, option in options.items()
        }

    for text, spec in (
        (ModuleDocFragment.DOCUMENTATION, ASSERTION_ARGS),
        (ModuleDocFragment.WAIT, WAIT_ARGS),
    ):
        documented = yaml.safe_load(text)["options"]
        assert str(shape(documented, "suboptions")).replace("suboptions", "options") == str(
            shape(spec, "options")
        )


def test_options_are_the_keys_of_the_parser() -> None:
    assert set(ASSERTION_OPTIONS) == set(assertion.KEYS)
