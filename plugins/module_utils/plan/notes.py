# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo's notes, with what is where on the runtime at hand: `${edge/http}` in a note is that listener's address."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils.demo.error import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils.demo.read import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils.plan import topology
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.layout import Layout
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.topology import EXPORTER

# Shell variables are other people's; `$${edge/http}` is the text `${edge/http}`.
_WORD = re.compile(r"\$(\$?)\{([a-z][a-z0-9_/.-]*)\}")
# Words for where all of it runs.
HERE = ("runtime", "folder")
_PORTS = {"http": "80", "https": "443"}


def check(demo: Demo) -> None:
    """Raise DemoError for a word in a note that stands for nothing."""
    places = [
        EXPORTER if one.group == EXPORTER else f"{one.group}/{one.name}"
        for one in topology.slots(demo)
        if one.publish or one.browsed
    ]
    for position, note in enumerate(demo["notes"]):
        for word in _words(note):
            if word not in HERE and re.sub(r"\.(host|port)$", "", word) not in places:
                raise DemoError(
                    demo["file"],
                    f"notes[{position}]: there is no ${{{word}}}; there is: {', '.join([*places, *HERE])}"
                    f" ($${{{word}}} is that text itself)",
                )


def notes(layout: Layout, addresses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the notes of a demo with a value for each word. What is about something that is not there now is left out."""
    values = _values(layout, addresses)
    return [
        _WORD.sub(lambda one: one[0][1:] if one[1] else values[one[2]], note)
        for note in layout.demo["notes"]
        if all(word in values for word in _words(note))
    ]


def _words(note: str) -> list[str]:
    return [one[2] for one in _WORD.finditer(note) if not one[1]]


def _values(layout: Layout, addresses: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what each word stands for: an address without its path, its host and its port alone, and where this runs."""
    values = dict(zip(HERE, (layout.context.runtime, layout.context.folder), strict=True))
    for one in addresses:
        name, url = str(one["name"]), urlsplit(str(one["url"]))
        values[name] = f"{url.scheme}://{url.netloc}"
        values[f"{name}.host"] = url.hostname or ""
        values[f"{name}.port"] = str(url.port or _PORTS.get(url.scheme, ""))
    return values
