# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The notes of a demo: `${edge/http}` in a note becomes the address of that listener on the platform of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import (
    address_values,
    check_placeholders,
    fill,
    placeholder_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import PublishedAddress
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

# Placeholders of the deployment itself.
DEPLOYMENT_PLACEHOLDERS = ("platform", "folder")
_PORTS = {"http": "80", "https": "443"}


def check_notes(demo: Demo) -> None:
    """Raise DemoError for an unknown placeholder in a note."""
    addresses = [
        name for name, port in topology.addressable_ports(demo).items() if port.publish or port.for_users
    ]
    for position, note in enumerate(demo["notes"]):
        check_placeholders(note, addresses, DEPLOYMENT_PLACEHOLDERS, demo["file"], f"notes[{position}]")


def fill_notes(platform: Platform, addresses: Sequence[PublishedAddress]) -> list[str]:
    """Return the notes with the value of each placeholder. A note about an address that the plan does not have is left out."""
    values = {"platform": platform.context.platform, "folder": platform.context.folder}
    for one in addresses:
        url = urlsplit(one["url"])
        port = url.port or _PORTS.get(url.scheme, "")
        values.update(address_values(one["name"], url.scheme, url.netloc, url.hostname or "", port))
    return [
        fill(note, values)
        for note in platform.demo["notes"]
        if all(name in values for name in placeholder_names(note))
    ]
