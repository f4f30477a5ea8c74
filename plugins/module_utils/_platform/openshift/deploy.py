# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployer of pods on OpenShift: that of Kubernetes, with OpenShift's quotas, and its command in messages."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deploy import (
    KubernetesDeployer,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.preflight.quota_check import (
    OPENSHIFT_QUOTA_KINDS,
)


class OpenShiftDeployer(KubernetesDeployer):
    """The deployer of pods in an OpenShift project; see `deployer.Deployer`."""

    tool = "oc"
    create_namespace = "oc new-project"
    quota_kinds = OPENSHIFT_QUOTA_KINDS
