# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the module `envoy_config`, and the desired files that they describe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    SENSITIVE,
    Admin,
    Certificate,
    Check,
    DesiredFiles,
    Directory,
    File,
    file_bytes,
    parse_mode,
    planned_record,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

# The options of a proxy that name one of its files.
BOOTSTRAP = "bootstrap"
WATCHED = ("listeners", "clusters")
PROXY_FILES = (BOOTSTRAP, *WATCHED)

FILE: dict[str, dict[str, Any]] = {
    "path": {"type": "str", "required": True},
    "content": {"type": "raw"},
    "src": {"type": "path"},
    "encoding": {"type": "str", "choices": ["text", "base64"], "default": "text"},
    "mode": {"type": "str", "default": "0644"},
    "live": {"type": "str"},
    "sensitive": {"type": "bool", "default": False},
}
DIRECTORY: dict[str, dict[str, Any]] = {
    "path": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0755"},
}
CERTIFICATE: dict[str, dict[str, Any]] = {
    "path": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "str", "default": "0600"},
    "days": {"type": "int", "default": 365},
    "renew_days": {"type": "int", "default": 30},
}
PROXY: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "bootstrap": {"type": "str"},
    "listeners": {"type": "str"},
    "clusters": {"type": "str"},
    "admin": {"type": "str"},
    "running": {"type": "bool", "default": True},
    "candidate": {"type": "str"},
}
ENVOY: dict[str, dict[str, Any]] = {
    "executable": {"type": "str", "default": "envoy"},
    "image": {"type": "str"},
    "version": {"type": "str"},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "folder": {"type": "path", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": FILE,
        "mutually_exclusive": [("content", "src")],
        "required_one_of": [("content", "src")],
    },
    "directories": {"type": "list", "elements": "dict", "default": [], "options": DIRECTORY},
    "certificates": {"type": "list", "elements": "dict", "default": [], "options": CERTIFICATE},
    "proxies": {"type": "list", "elements": "dict", "default": [], "options": PROXY},
    "envoy": {"type": "dict", "default": {}, "options": ENVOY},
    "deployed": {"type": "dict"},
    "validate": {"type": "bool", "default": True},
    "confirm_timeout": {"type": "float", "default": 60},
    "drain_timeout": {"type": "float", "default": 10},
}


def desired_files(options: Mapping[str, Any]) -> DesiredFiles:
    """Return the desired files that the options of `envoy_config` describe.

    Args:
        options: The module's options, with their defaults.

    Raises:
        ConfigRefused: Two options contradict each other, or a path or a mode is not valid.
    """
    proxies = options["proxies"]
    _require_known_files(proxies, {file["path"] for file in options["files"]})
    watched_by = {
        proxy[option]: proxy["name"]
        for proxy in proxies
        if proxy["admin"]
        for option in WATCHED
        if proxy[option]
    }
    files = [_file(file, watched_by) for file in options["files"]]
    # Listeners are written last: without an admin interface nothing confirms that their clusters are live.
    listeners = {proxy["listeners"] for proxy in proxies}
    return DesiredFiles(
        files=tuple(sorted(files, key=lambda file: file.path in listeners)),
        directories=tuple(
            Directory(directory["path"], parse_mode(directory["mode"]))
            for directory in options["directories"]
        ),
        certificates=tuple(
            Certificate(
                certificate["path"],
                tuple(certificate["names"]),
                tuple(certificate["addresses"]),
                parse_mode(certificate["mode"]),
                certificate["days"],
                certificate["renew_days"],
            )
            for certificate in options["certificates"]
        ),
        checks=tuple(_check(proxy, options["envoy"], files) for proxy in proxies)
        if options["validate"]
        else (),
        admins=tuple(Admin(proxy["name"], proxy["admin"]) for proxy in proxies if proxy["admin"]),
        deployed=planned_record(options["deployed"]),
    )


def sensitive_texts(options: Mapping[str, Any]) -> set[str]:
    """Return the contents of the sensitive files, and of the candidates of the proxies that read them."""
    sensitive = [file for file in options["files"] if file["sensitive"]]
    paths = {file["path"] for file in sensitive}
    texts = {str(file["content"]) for file in sensitive}
    texts |= {
        str(proxy["candidate"])
        for proxy in options["proxies"]
        if paths.intersection(proxy[option] for option in PROXY_FILES)
    }
    return texts - {"", "None"}


def _require_known_files(proxies: list[Mapping[str, Any]], paths: set[str]) -> None:
    for name, count in Counter(proxy["name"] for proxy in proxies).items():
        if count > 1:
            raise ConfigRefused(
                f"proxies: the name {name!r} is used {count} times. Give each proxy its own name."
            )
    for proxy in proxies:
        for option in PROXY_FILES:
            if proxy[option] and proxy[option] not in paths:
                raise ConfigRefused(
                    f"proxies.{proxy['name']}.{option}: {proxy[option]!r} is not a path of 'files'."
                    " Add the file, or correct the path."
                )


def _file(file: Mapping[str, Any], watched_by: Mapping[str, str]) -> File:
    if not isinstance(file["content"], str):
        raise ConfigRefused(
            "the file has no text. Use the action plugin, which reads 'content' and 'src' on the controller.",
            file["path"],
        )
    return File(
        file["path"],
        file_bytes(file),
        parse_mode(file["mode"]),
        file["live"] or watched_by.get(file["path"]),
        SENSITIVE if file["sensitive"] else "",
    )


def _check(proxy: Mapping[str, Any], envoy: Mapping[str, Any], files: list[File]) -> Check:
    own_files = [proxy[option] for option in PROXY_FILES if proxy[option]]
    live_files = [file.path for file in files if file.live == proxy["name"] and file.path not in own_files]
    # The name of a proxy may contain any character, so it is not part of a path as it is.
    safe_name = "".join(letter if letter.isalnum() else "-" for letter in proxy["name"])
    candidate = File(f"candidate-of-{safe_name}.yaml", (proxy["candidate"] or "").encode())
    program = "envoy" if envoy["image"] else envoy["executable"]
    return Check(
        name=proxy["name"],
        command=(program, "--mode", "validate", "--config-path", candidate.path, "--log-level", "error"),
        image=envoy["image"],
        files=(candidate,),
        validated_files=(*own_files, *live_files),
        version=envoy["version"],
    )
