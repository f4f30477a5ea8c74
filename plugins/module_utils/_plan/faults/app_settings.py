# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings with which the demo app does not start.

The rules are those of the app itself, roles/demo_app/files/demo_app.py, which is one file without imports of the collection.
`test_app_settings.py` compares both with generated settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name

PREFIX = "DEMO_APP_"
# Settings that the planner computes, with the key of a service that they come from.
PLANNED = {"BIND": "", "PORT": "port", "UNIX_SOCKET": "unix_socket", "PROTOCOL": "protocol"}
_CALL = re.compile(r"([a-z0-9._-]+)=(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")
_LETTERS = "Use letters, digits, dots and dashes only."
_LIMITS = ("DELAY_MS", "CPU_MS", "MEMORY_MB", "BYTES", "BODY", "WORK", "HOPS", "HOP_MS")


def author_setting_problem(name: str, value: str, service: str) -> str:
    """Return what is wrong with a variable that an author sets for the demo app, and what to do. Empty: it is valid.

    Args:
        name: Name of the variable.
        value: Its value.
        service: The key of the service in the demo.

    Example:
        >>> author_setting_problem("DEMO_APP_LOG", "all", "services.web")
        "the app does not start: expected one of none, requests, got 'all'. Correct the value."
        >>> author_setting_problem("DEMO_APP_PORT", "80", "services.web")
        "the planner sets it. Use 'services.web.port'."
        >>> author_setting_problem("LANG", "C", "services.web")
        ''
    """
    if not name.startswith(PREFIX):
        return ""
    setting = name[len(PREFIX) :]
    if setting in PLANNED:
        key = PLANNED[setting]
        return "the planner sets it. " + (f"Use '{service}.{key}'." if key else "Remove the key.")
    if setting not in _RULES:
        return f"the app does not start: {unknown_name('setting', name, [PREFIX + one for one in _RULES])}"
    problem = _RULES[setting](value)
    return f"the app does not start: {problem}" if problem else ""


def setting_problem(name: str, value: str) -> str:
    """Return what is wrong with one setting, whose name is without PREFIX, and what to do. Empty: the app accepts it."""
    rule = _RULES.get(name)
    return rule(value) if rule else f"unknown setting '{PREFIX}{name}'. Remove it."


def _text(pattern: str) -> Callable[[str], str]:
    return lambda value: "" if re.fullmatch(pattern, value) else f"got {value!r}. {_LETTERS}"


def _whole(most: int) -> Callable[[str], str]:
    def rule(value: str) -> str:
        if re.fullmatch(r"[0-9]{1,15}", value) and int(value) <= most:
            return ""
        return f"expected a whole number from 0 to {most}, got {value!r}. Correct the value."

    return rule


def _one_of(*choices: str) -> Callable[[str], str]:
    return lambda value: (
        "" if value in choices else f"expected one of {', '.join(choices)}, got {value!r}. Correct the value."
    )


def _calls(value: str) -> str:
    for call in filter(None, map(str.strip, value.split(","))):
        if not _CALL.fullmatch(call):
            return f"expected NAME=host:port, got {call!r}. Use the key 'calls' of the app."
    return ""


_RULES: Mapping[str, Callable[[str], str]] = {
    "BIND": lambda _value: "",
    "PORT": _whole(65535),
    "UNIX_SOCKET": lambda _value: "",
    "PROTOCOL": _one_of("http", "tcp", "udp"),
    "SERVICE": _text(r"[A-Za-z0-9_.-]*"),
    # The app takes the name of its host in place of an empty text.
    "HOSTNAME": _text(r"[A-Za-z0-9_.:-]*"),
    "VERSION": _text(r"[A-Za-z0-9_.+-]*"),
    "CALLS": _calls,
    "LOG": _one_of("none", "requests"),
    "DRAIN": _whole(3600),
    "DEADLINE": _whole(3600),
    **{f"LIMIT_{one}": _whole(2**40) for one in _LIMITS},
}
