# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login of a pod, compared with that of the package `kubernetes`."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes.client import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.client_settings import (
    ClientSettings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.service_account import (
    use_service_account,
)

ENVIRONMENT = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    for name, text in (("token", "abc"), ("ca.crt", "CA"), ("namespace", "shop\n")):
        (tmp_path / name).write_text(text)
    return tmp_path


def package_settings(account: Path, environment: dict[str, str]) -> Configuration | None:
    configuration = Configuration()
    loader = InClusterConfigLoader(str(account / "token"), str(account / "ca.crt"), environ=environment)
    try:
        loader.load_and_set(configuration)
    except ConfigException:
        return None
    return configuration


@pytest.mark.parametrize("host", ["10.0.0.1", "api", "fd00::1", "fe80::1%eth0"])
def test_service_account_has_the_settings_of_the_package(account: Path, host: str) -> None:
    environment = ENVIRONMENT | {"KUBERNETES_SERVICE_HOST": host}
    settings, package = ClientSettings(), package_settings(account, environment)
    assert use_service_account(settings, account, environment) == "shop"
    assert package is not None
    for name in ("host", "ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "tls_server_name"):
        assert getattr(settings, name) == getattr(package, name)
    value = package.auth_settings()["BearerToken"]["value"]
    assert value == "bearer abc"  # names of schemes are case-insensitive (RFC 9110, section 11.1)
    assert settings.auth_settings()["BearerToken"]["value"] == "Bearer abc"


@pytest.mark.parametrize("missing", ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "token", "ca.crt"])
@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "missing"])
def test_incomplete_service_account_is_none(account: Path, missing: str, is_empty: bool) -> None:
    environment = dict(ENVIRONMENT)
    if missing in environment:
        environment.pop(missing)
        environment |= {missing: ""} if is_empty else {}
    elif is_empty:
        (account / missing).write_text("")
    else:
        (account / missing).unlink()
    settings = ClientSettings()
    assert package_settings(account, environment) is None
    assert use_service_account(settings, account, environment) is None
    assert vars(settings) == vars(ClientSettings())
