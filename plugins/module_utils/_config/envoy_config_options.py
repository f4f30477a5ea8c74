# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the module `envoy_config` as what this layer understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Admin,
    Certificate,
    Check,
    DesiredFiles,
    Directory,
    File,
    mode_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

SENSITIVE = "(sensitive, not shown)"
READ = ("bootstrap", "listeners", "clusters")


def wanted_of(options: Mapping[str, Any]) -> DesiredFiles:
    """Return what `options` want. Raises ConfigRefused for those that contradict each other."""
    proxies = options["proxies"]
    names = [one["name"] for one in proxies]
    for name in names:
        if names.count(name) > 1:
            raise ConfigRefused(f"proxies: the name {name!r} is there twice.")
    paths = {one["path"] for one in options["files"]}
    for proxy in proxies:
        for kind in READ:
            if proxy[kind] and proxy[kind] not in paths:
                raise ConfigRefused(
                    f"proxies: {proxy['name']}: its {kind} {proxy[kind]!r} is none of the 'files'."
                )
    watched = {
        proxy[kind]: proxy["name"] for proxy in proxies if proxy["admin"] for kind in READ[1:] if proxy[kind]
    }
    files = [_file(one, watched) for one in options["files"]]
    # Where nothing confirms, a listener at least never comes before its clusters.
    listeners = {proxy["listeners"] for proxy in proxies}
    return DesiredFiles(
        files=tuple(sorted(files, key=lambda file: file.path in listeners)),
        directories=tuple(Directory(one["path"], mode_of(one["mode"])) for one in options["directories"]),
        certificates=tuple(
            Certificate(
                one["path"],
                tuple(one["names"]),
                tuple(one["addresses"]),
                mode_of(one["mode"]),
                one["days"],
                one["renew_days"],
            )
            for one in options["certificates"]
        ),
        checks=tuple(_check(proxy, options["envoy"], files) for proxy in proxies)
        if options["validate"]
        else (),
        admins=tuple(Admin(proxy["name"], proxy["admin"]) for proxy in proxies if proxy["admin"]),
    )


def _file(one: Mapping[str, Any], watched: Mapping[str, str]) -> File:
    if not isinstance(one["content"], str):
        raise ConfigRefused(
            "has no text: 'content' and 'src' are read by the action on the controller.", one["path"]
        )
    return File(
        one["path"],
        one["content"].encode(),
        mode_of(one["mode"]),
        one["live"] or watched.get(one["path"]),
        SENSITIVE if one["sensitive"] else "",
    )


def _check(proxy: Mapping[str, Any], envoy: Mapping[str, Any], files: list[File]) -> Check:
    validated_files = [proxy[kind] for kind in READ if proxy[kind]]
    # A name for messages may hold anything; beside the proxy's own files is where it belongs in no case.
    place = f"candidate-of-{''.join(letter if letter.isalnum() else '-' for letter in proxy['name'])}.yaml"
    candidate = File(place, (proxy["candidate"] or "").encode())
    program = "envoy" if envoy["image"] else envoy["executable"]
    return Check(
        name=proxy["name"],
        command=(program, "--mode", "validate", "--config-path", place, "--log-level", "error"),
        image=envoy["image"],
        files=(candidate,),
        validated_files=tuple(
            validated_files
            + [file.path for file in files if file.live == proxy["name"] and file.path not in validated_files]
        ),
        version=envoy["version"],
    )
