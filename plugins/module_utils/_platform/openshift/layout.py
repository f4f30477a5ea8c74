# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner's view of platform `openshift`: Kubernetes with Routes, arbitrary user ids and a Template."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File, titled
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.layout import (
    KubernetesPlatform,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.pod_template import (
    Object,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.template import (
    AUTHORITY,
    FILE,
    template,
)


class OpenShiftPlatform(KubernetesPlatform):
    """A cluster that chooses the user id of containers and that has Routes."""

    tool = "oc"
    default_settings = {"uid": None, "routes": True}  # noqa: RUF012  (read only)

    def further_documents(
        self, host: str, objects: Sequence[Object], secrets: Sequence[str], commands: Sequence[str]
    ) -> tuple[list[File], list[str]]:
        """Return template.yaml, and the commands that process it."""
        del commands
        tool, name = self.command(self.tool), self.demo["name"]
        namespace = self.context.cluster.get("namespace")
        parameters = [f"-p NAMESPACE={quote(namespace) if namespace else f'$({tool} project -q)'}"]
        authorities = [*self.routes_with_authority(objects).values()][:1]
        parameters += [f'-p {AUTHORITY}="$(cat {path})"' for path in authorities]
        by_hand = [*secrets, f"{tool} process -f {FILE} {' '.join(parameters)} | {tool} create -f -"]
        document = titled(f"{name}: {' && '.join(by_hand)}", template(name, self.demo["summary"], objects))
        return [File(FILE, document, host=host)], by_hand
