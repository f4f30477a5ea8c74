# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that an Envoy writes: whether it can write them where it runs, and a validation that writes none."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import from_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.unix_sockets import own_pipe
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.nested_messages import messages_in
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.author_volumes import (
    author_volumes,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

FILE_ACCESS_LOG = "envoy.extensions.access_loggers.file.v3.FileAccessLog"
# Fields whose value is always the path of a log (HealthCheck, OutlierDetection, HealthCheckEventFileSink, Admin).
LOG_PATHS = ("event_log_path", "eventLogPath", "access_log_path", "accessLogPath")
_WRITES = re.compile("|".join((FILE_ACCESS_LOG.rpartition(".")[2], *LOG_PATHS)))
_DEVICES = "/dev/"


def written_paths(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield (key, path) of each file that a configuration makes Envoy write. Devices such as `/dev/stdout` are left out."""
    for path, message in messages_in(value, where):
        is_log = str(message.get("@type", "")).endswith(FILE_ACCESS_LOG)
        for key, one in message.items():
            is_path = isinstance(one, str) and (key in LOG_PATHS or (is_log and key == "path"))
            if is_path and not one.startswith(_DEVICES):
                yield (f"{path}.{key}" if path else str(key)), one


def check_written_paths(proxy: Proxy, platform: Platform, home: str) -> None:
    """Raise DemoError if Envoy cannot write a file where it runs. `home` is its working directory in a container."""
    writable = platform.writable_directories(proxy, home)
    if writable is None:
        return
    writable += [one.target for one in author_volumes(proxy, platform) if one.writable]
    for where, path in written_paths(proxy.spec, proxy.key):
        absolute = posixpath.normpath(posixpath.join(home, path))
        if not any(absolute.startswith(f"{directory}/") for directory in writable):
            raise DemoError(
                platform.demo["file"],
                f"{where}: Envoy cannot write '{path}', because the file system of its container is read-only."
                f" Use ${{data}}/{posixpath.basename(path)}, /dev/stdout, a path below {' or '.join(writable)}, or a mount"
                f" ('mounts: {{{posixpath.dirname(absolute)}: {{}}}}').",
            )


def check_own_sockets(proxy: Proxy, platform: Platform, home: str) -> None:
    """Raise DemoError if Envoy cannot create the Unix socket of a listener where it runs."""
    writable = platform.writable_directories(proxy, home)
    for name, listener in proxy.spec["listeners"].items():
        path = own_pipe(listener)
        if writable is None or not path or path.startswith("@"):
            continue
        absolute = posixpath.normpath(posixpath.join(home, path))
        if not any(absolute.startswith(f"{directory}/") for directory in writable):
            raise DemoError(
                platform.demo["file"],
                f"{proxy.key}.listeners.{name}.listener.address.pipe.path: Envoy cannot create '{path}', because the file system of its"
                f" container is read-only. Use 'unix_socket: {posixpath.basename(path)}' instead of 'address', or a path below"
                f" {' or '.join(writable)}.",
            )


def without_written_files(text: str) -> str:
    """Return a configuration that another machine can validate: Envoy opens the logs of a configuration when it validates it."""
    if not _WRITES.search(text):
        return text
    for path in {path for _where, path in written_paths(from_yaml(text))}:
        keys = "|".join(("path", *LOG_PATHS))
        pattern = rf"""(\b(?:{keys})["']?:\s*)(["']?){re.escape(path)}\2(?=[\s,}}]|$)"""
        text = re.sub(pattern, r"\1/dev/null", text)
    return text
