# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan must know of the host: everything that is not in the demo file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.demo.read import DemoError

RUNTIMES = ("local", "docker")


@dataclass(frozen=True)
class Program:
    """A program as both runtimes know it; `version` only where it is asserted."""

    image: str = ""
    executable: str = ""
    version: str = ""


@dataclass(frozen=True)
class Context:
    """See "The plan" in docs/architecture.md."""

    runtime: str
    folder: str
    bind: str = "127.0.0.1"
    envoy: Program = Program()
    python: Program = Program()
    statsd_exporter: Program = Program()
    supervisord: Program = Program()
    app: str = ""  # the demo app's source text; empty where the image holds it
    app_image: str = ""  # an image of one's own that holds the demo app
    mappings: Mapping[str, Any] = field(default_factory=dict)  # statsd_exporter's default mapping, by style
    network: str = ""  # docker: an existing network to join
    replicas: Mapping[str, int] = field(default_factory=dict)
    change: str = ""

    @property
    def local(self) -> bool:
        return self.runtime == "local"

    def program(self, program: Program) -> str:
        """Return how a command line of this runtime names `program`."""
        return program.executable if self.local else ""


def read_context(data: Mapping[str, Any]) -> Context:
    """Return the context that `data` describes. Raises DemoError."""
    known = Context.__dataclass_fields__
    for key in data:
        if key not in known:
            raise DemoError("context", f"there is no key '{key}'; there is: {', '.join(known)}")
    if data.get("runtime") not in RUNTIMES:
        raise DemoError("context.runtime", f"'{data.get('runtime')}' is not one of {', '.join(RUNTIMES)}")
    values = dict(data)
    for key in ("envoy", "python", "statsd_exporter", "supervisord"):
        if key in values:
            values[key] = Program(**values[key])
    values["replicas"] = {str(name): int(count) for name, count in (values.get("replicas") or {}).items()}
    return Context(**values)
