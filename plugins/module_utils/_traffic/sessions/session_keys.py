# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of a traffic for users: their session, what is saved, and which redirects are followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    integer,
    mapping,
    optional,
    scalar_text,
    sequence,
    shown,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.redirects import origin_of
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.saved_values import saved_names

MAX_USERS = 1_000
MAX_REDIRECTS = 20
SESSION_KEYS = ("session", "users", "save", "follow_redirects", "redirects_to")
_OF_USERS = ("session", "users", "save")
TARGET_KEYS = ("origins", "url", "ca", "server_name", "unix_socket", "pod")
_NOT_FOR_USERS = ("phases", "warm_up", "processes", "streams")


class UserKeys(NamedTuple):
    """The keys of a traffic for users."""

    session: str = ""
    users: int = 1
    redirects: int = 0  # that a request follows at most


def parse_user_keys(data: Mapping[str, Any], protocol: str, where: str) -> UserKeys:
    """Return the keys of a traffic whose protocol is the stated one. Raises ArgumentError."""
    found = UserKeys(
        optional(data, "session", where, scalar_text) or "",
        optional(data, "users", where, integer, least=1, most=MAX_USERS) or 1,
        optional(data, "follow_redirects", where, integer, least=0, most=MAX_REDIRECTS) or 0,
    )
    stated = [key for key in SESSION_KEYS if key in data]
    if not stated:
        return found
    if protocol != "http1" and stated != ["session"]:
        key = next(key for key in stated if key != "session")
        raise ArgumentError(
            f"{where}.{key}",
            f"the protocol is {protocol or 'not HTTP'}, but {key} is for http1. A previous traffic with http1 can save values.",
        )
    for key in _NOT_FOR_USERS:
        if key in data:
            raise ArgumentError(
                f"{where}.{key}", f"{key} and {stated[0]} exclude each other. Set only one of them."
            )
    for key in ("users", "save"):
        if key in data and not found.session:
            raise ArgumentError(
                f"{where}.{key}", "it needs session, the name of the users. Set session, too."
            )
    if "redirects_to" in data and not found.redirects:
        raise ArgumentError(f"{where}.redirects_to", "it needs follow_redirects. Set follow_redirects, too.")
    if found.session and protocol != "http1" and found.users > 1:
        raise ArgumentError(f"{where}.users", f"a session of {protocol} has one user. Remove the key.")
    return found


def redirect_entries(data: Mapping[str, Any], where: str) -> list[tuple[list[str], dict[str, Any], str]]:
    """Return the origins, the connection and the key of each target in `redirects_to`. Raises ArgumentError."""
    where = f"{where}.redirects_to"
    found = []
    for position, entry in enumerate(sequence(data.get("redirects_to") or (), where, "targets")):
        place = f"{where}[{position}]"
        target = mapping(entry, place, TARGET_KEYS)
        if "url" not in target:
            raise ArgumentError(
                place, "url is missing. Set the address that requests to the origins are sent to."
            )
        origins = [
            _origin(one, f"{place}.origins") for one in target.pop("origins", None) or (target["url"],)
        ]
        found.append((origins, target, place))
    return found


def check_saved_names(entries: Sequence[tuple[Mapping[str, Any], str, Sequence[str]]]) -> None:
    """Check that a previous traffic of the same session saves each value that a traffic uses.

    Args:
        entries: The data, the session and the saved names of each traffic, in their order.

    Raises:
        ArgumentError: A value is not saved before.
    """
    known: dict[str, set[str]] = {}
    for position, (data, session, saved) in enumerate(entries):
        before = known.setdefault(session, set())
        for key in ("url", "headers", "host", "body", "messages"):
            for name in saved_names(data.get(key)):
                if not session or name not in before | set(saved):
                    texts = ", ".join(sorted(before)) or "none"
                    raise ArgumentError(
                        f"traffic[{position}].{key}",
                        f"no previous traffic of session {shown(session)} saves {shown(name)}. Saved: {texts}."
                        " Correct the name, or set save.",
                    )
        if session:
            before.update(saved)


def _origin(value: Any, where: str) -> str:
    text = scalar_text(value, where)
    try:
        found = origin_of(text)
    except ValueError:
        found = ""
    if not found.startswith(("http://", "https://")):
        raise ArgumentError(where, f"{shown(text)} is no origin. Write http://HOST:PORT.")
    return found
