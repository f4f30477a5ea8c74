# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files, the environment and the placeholders of one Envoy."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_texts import (
    DATA,
    FILES,
    PROXY_PLACEHOLDERS,
    proxy_placeholders,
    texts_below,
    with_values,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import (
    address_values,
    check_placeholders,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import proxies
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform


def check_proxies(demo: Demo) -> None:
    """Raise DemoError for an unknown placeholder in the texts of a proxy."""
    addresses = topology.addressable_ports(demo)
    for where, proxy in proxies(demo):
        for path, text in texts_below(proxy, where):
            check_placeholders(text, addresses, PROXY_PLACEHOLDERS, demo["file"], path)


def with_placeholder_values(proxy: Proxy, platform: Platform) -> Proxy:
    """Return a proxy with the values of this platform in its texts."""
    values = {
        FILES: files_directory(proxy),
        DATA: platform.data_directory(proxy),
        **referenced_addresses(proxy, platform),
    }
    return replace(proxy, spec=with_values(proxy.spec, values))


def files_directory(proxy: Proxy) -> str:
    """Return the directory of the author's files, relative to the working directory of Envoy."""
    return f"{proxy.name}/files"


def author_files(proxy: Proxy, platform: Platform) -> list[File]:
    """Return the files of the author."""
    return [
        planned_file(f"{files_directory(proxy)}/{path}", one, proxy, platform)
        for path, one in proxy.spec["files"].items()
    ]


def planned_file(path: str, file: AuthorFile, instance: Instance, platform: Platform) -> File:
    """Return a file of the author, with the permissions of a private key if it is sensitive."""
    mode = platform.key_mode if file.sensitive else "0644"
    return File(path, file.content, mode, host=instance.host, sensitive=file.sensitive)


def data_directories(proxy: Proxy, platform: Platform) -> list[tuple[str, str]]:
    """Return (path, mode) of the directory that the proxy's texts name as `${data}`, if the deployment folder has it."""
    placeholders = proxy_placeholders(topology.proxy_of(platform.demo, proxy.group))
    return platform.created_directories(proxy) if DATA in placeholders else []


def referenced_addresses(instance: Instance, platform: Platform) -> dict[str, str]:
    """Return the placeholders of the addresses that the texts of a group refer to, as `instance` reaches them."""
    found: dict[str, str] = {}
    for placeholder, target in platform.referenced_ports(instance.group).items():
        host, port = platform.address(platform.instance(target.group), target.name, instance)
        scheme = topology.scheme_of(platform.demo, target.group, target.name)
        found |= address_values(placeholder, scheme, netloc(host, port), host, port)
    return found
