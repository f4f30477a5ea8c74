# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's view of platform `docker`: containers of a compose project."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import FILE, compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File, titled
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Documents, Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


class DockerPlatform(Platform):
    """Each instance is a container that the others reach by its name. The base class describes everything else."""

    def documents(
        self, host: str, workloads: Sequence[Workload], files: Sequence[File], certificates: Sequence[str]
    ) -> Documents:
        """Return compose.yaml."""
        del files, certificates
        name = self.demo["name"]
        project = compose(name, workloads, self.hosts[host].address, self.context.network or None)
        document = File(FILE, titled(f"{name}: docker compose up", project), host=host)
        return Documents(files=(document,), commands=("docker compose up",))
