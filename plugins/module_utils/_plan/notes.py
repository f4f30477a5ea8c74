# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo's notes, with what is where on the platform at hand: `${edge/http}` in a note is that listener's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import placeholders, topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout

# Words for where all of it runs.
HERE = ("platform", "folder")
_PORTS = {"http": "80", "https": "443"}


def check(demo: Demo) -> None:
    """Raise DemoError for a word in a note that stands for nothing."""
    places = [place for place, slot in topology.places(demo).items() if slot.publish or slot.browsed]
    for position, note in enumerate(demo["notes"]):
        placeholders.check(note, places, HERE, demo["file"], f"notes[{position}]")


def notes(layout: Layout, addresses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the notes of a demo with a value for each word. What is about something that is not there now is left out."""
    values = _values(layout, addresses)
    return [
        placeholders.filled(note, values)
        for note in layout.demo["notes"]
        if all(word in values for word in placeholders.said(note))
    ]


def _values(layout: Layout, addresses: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what each word stands for: an address without its path, its host and its port alone, and where this runs."""
    values = dict(zip(HERE, (layout.context.platform, layout.context.folder), strict=True))
    for one in addresses:
        url = urlsplit(str(one["url"]))
        port = url.port or _PORTS.get(url.scheme, "")
        values |= placeholders.address(str(one["name"]), url.scheme, url.netloc, url.hostname or "", port)
    return values
