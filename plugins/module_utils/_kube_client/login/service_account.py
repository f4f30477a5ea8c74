# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login of the pod that runs this code: its service account.

Source: Kubernetes documentation, "Accessing the Kubernetes API from a Pod".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.client_settings import (
    ClientSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.file_token import FileToken

FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def use_service_account(
    settings: ClientSettings, folder: Path = FOLDER, environment: Mapping[str, str] | None = None
) -> str | None:
    """Fill settings from the service account of this pod, and return the namespace of the pod.

    Args:
        settings: The settings to fill; unchanged if there is no service account.
        folder: The folder of the service account.
        environment: The environment variables; those of this process by default.

    Returns:
        The namespace, or None if this process does not run in a pod with a service account.
    """
    environment = os.environ if environment is None else environment
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        return None
    try:
        token = FileToken(str(folder / "token"))
        authority = folder / "ca.crt"
        has_authority = bool(authority.read_text(encoding="utf-8"))
        namespace = (folder / "namespace").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    if not has_authority:
        return None
    settings.host = f"https://{f'[{host}]' if ':' in host or '%' in host else host}:{port}"
    settings.ssl_ca_cert = str(authority)
    settings.refresh_api_key_hook = token
    return namespace
