# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's view of the programs of services: their executables, images and Python packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages.package_targets import (
    packages_environment,
    packages_image,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Packages


class ServerLayout(Layout):
    """What starts the server of a service; the base class describes containers."""

    def server_program(self, server: Mapping[str, Any], program: str, packages: Packages | None) -> str:
        """Return the command that starts a server, whose image runs `program`."""
        del server, packages
        return program

    def server_packages(self, group: str) -> Packages:
        """Return the Python packages of the server of a service: an image that is built with them."""
        server = self.demo["services"][group]["server"]
        return packages_image(server["packages"], server["image"], self.context.registry)

    def server_image(self, server: Mapping[str, Any], packages: Packages | None) -> str:
        """Return the image of a server, which contains its packages."""
        return packages.target if packages else str(server["image"])


class HostServerLayout(ServerLayout):
    """What starts a server as a process of its host."""

    def server_program(self, server: Mapping[str, Any], program: str, packages: Packages | None) -> str:
        """Return the executable on the host, which can differ from the program in the image."""
        return f"{packages.target}/bin/python3" if packages else server["program"] or program

    def server_packages(self, group: str) -> Packages:
        """Return the Python packages of the server of a service: a virtual environment of the host."""
        requirements = self.demo["services"][group]["server"]["packages"]
        return packages_environment(
            requirements, self.context.python.executable or "python3", self.context.cache
        )

    def server_image(self, server: Mapping[str, Any], packages: Packages | None) -> str:
        """Return the image of the server, which no process uses."""
        del packages
        return str(server["image"])
