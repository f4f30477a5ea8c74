# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands by which a user runs the generated manifests without Ansible, and the command that drains an Envoy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from shlex import quote

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.config_maps import (
    secret_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    DEMO,
)

# The keys of the planning context's `cluster`, which are also flags of kubectl and oc.
CLUSTER_KEYS = ("context", "namespace")


def with_flags(tool: str, cluster: Mapping[str, str]) -> str:
    """Return `tool` (kubectl or oc) with the flags that select a cluster and a namespace."""
    flags = [f"--{key} {quote(cluster[key])}" for key in CLUSTER_KEYS if cluster.get(key)]
    return " ".join([tool, *flags])


def secret_commands(
    tool: str, demo: str, certificates: Iterable[str], files: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Return the commands that create the Secrets of a demo from files of the deployment folder.

    Args:
        tool: kubectl or oc, with its flags.
        demo: Name of the demo.
        certificates: Directories of certificates.
        files: For each Secret of sensitive files, the path of the file of each key.
    """
    commands = []
    for folder in certificates:
        secret = secret_name(demo, folder)
        commands.append(f"{tool} create secret generic {secret} --from-file={folder}")
        commands.append(_label_command(tool, demo, secret))
    for secret, paths in files.items():
        options = " ".join(f"--from-file={key}={path}" for key, path in paths.items())
        commands += [f"{tool} create secret generic {secret} {options}", _label_command(tool, demo, secret)]
    return commands


def apply_commands(tool: str, file: str, authorities: Mapping[str, str]) -> list[str]:
    """Return the commands that apply `file` and add its certificate authority to each Route of `authorities`."""
    patches = [_authority_patch(tool, route, path) for route, path in authorities.items()]
    return [f"{tool} apply -f {file}", *patches]


def drain_command(address: str, port: int) -> str:
    """Return a Bash command that requests /drain_listeners of Envoy's admin.

    After it Envoy closes each connection with its next response. With `skip_exit` Envoy keeps its listeners and accepts
    new connections.
    """
    head = "POST /drain_listeners?graceful&skip_exit HTTP/1.1\\r\\nHost: localhost\\r\\n"
    request = f"{head}Content-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"
    # Waits for the response, for at most 2 s.
    return f"{{ printf '{request}' >&3; read -r -t 2 _ <&3; }} 3<>/dev/tcp/{address}/{port}"


def _label_command(tool: str, demo: str, secret: str) -> str:
    """Return the command that makes a Secret an object of the demo, which a deployment adopts and a teardown deletes."""
    return f"{tool} label secret {secret} {DEMO}={demo}"


def _authority_patch(tool: str, route: str, path: str) -> str:
    """Return the command that adds a certificate authority to a Route.

    In JSON, each end of a line is an escape sequence.
    """
    lines = f"$(sed 's/$/\\\\n/' {path} | tr -d '\\n')"
    patch = f'{{\\"spec\\": {{\\"tls\\": {{\\"destinationCACertificate\\": \\"{lines}\\"}}}}}}'
    return f'{tool} patch route {route} --type merge --patch "{patch}"'
