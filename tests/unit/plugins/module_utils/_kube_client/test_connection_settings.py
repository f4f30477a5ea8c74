# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a connection: options, K8S_AUTH_*, KUBECONFIG and contexts."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.doc_fragments.cluster import ModuleDocFragment
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client import cluster_options
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    CLUSTER_OPTIONS,
    with_environment,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.connection_settings import (
    load_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError


@pytest.fixture(autouse=True)
def _no_settings_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in CLUSTER_OPTIONS:
        monkeypatch.delenv(f"K8S_AUTH_{key.upper()}", raising=False)
    for key in (
        "KUBECONFIG",
        "KUBERNETES_SERVICE_HOST",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def kubeconfig(**user: Any) -> dict[str, Any]:
    return {
        "clusters": [
            {"name": "one", "cluster": {"server": "http://one:1/"}},
            {"name": "two", "cluster": {"server": "http://two:2", "proxy-url": "http://proxy:3128"}},
        ],
        "users": [{"name": "me", "user": user or {"token": "t"}}],
        "contexts": [
            {"name": "first", "context": {"cluster": "one", "user": "me", "namespace": "shop"}},
            {"name": "second", "context": {"cluster": "two", "user": "me"}},
        ],
        "current-context": "first",
    }


@pytest.fixture
def kubeconfig_path(tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    return str(path)


def test_current_context_is_the_default(kubeconfig_path: str) -> None:
    settings = load_settings({"kubeconfig": kubeconfig_path})
    assert (settings.server, settings.namespace, settings.headers()) == (
        "http://one:1",
        "shop",
        {"authorization": "Bearer t"},
    )
    assert settings.origin == f"context first of {kubeconfig_path}"
    assert "Bearer" not in repr(settings)


def test_context_and_namespace_are_options(kubeconfig_path: str) -> None:
    settings = load_settings({"kubeconfig": kubeconfig_path, "context": "second"})
    assert (settings.server, settings.namespace, settings.proxy) == (
        "http://two:2",
        "default",
        "http://proxy:3128",
    )
    assert load_settings({"kubeconfig": kubeconfig_path, "namespace": "mine"}).namespace == "mine"


def test_impersonation_of_kubeconfig_options_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = {
        "token": "t",
        "as": "jane",
        "as-uid": "7",
        "as-groups": ["a", "b"],
        "as-user-extra": {"example.com/why": ["x", "y"]},
    }
    wanted = (
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-example.com%2Fwhy", "x"),
        ("Impersonate-Extra-example.com%2Fwhy", "y"),
    )
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kubeconfig(**user)))
    for given in (str(path), kubeconfig(**user)):
        assert load_settings({"kubeconfig": given}).impersonation == wanted
    assert load_settings({"kubeconfig": kubeconfig()}).impersonation == ()
    # The option replaces all of it.
    found = load_settings({"kubeconfig": str(path), "impersonate_user": "joe"})
    assert found.impersonation == (("Impersonate-User", "joe"),)
    monkeypatch.setenv("K8S_AUTH_IMPERSONATE_USER", "jim")
    monkeypatch.setenv("K8S_AUTH_IMPERSONATE_GROUPS", "c,d")
    impersonation = load_settings({"host": "https://h", "api_key": "k"}).impersonation
    assert impersonation == (
        ("Impersonate-User", "jim"),
        ("Impersonate-Group", "c"),
        ("Impersonate-Group", "d"),
    )


def test_kubeconfig_as_data() -> None:
    assert load_settings({"kubeconfig": kubeconfig()}).server == "http://one:1"


def test_environment_is_the_fallback(
    kubeconfig_path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"/missing:{kubeconfig_path}")
    assert load_settings({}).server == "http://one:1"
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "second")
    assert load_settings(None).server == "http://two:2"
    assert load_settings({"context": "first"}).server == "http://one:1"
    monkeypatch.delenv("KUBECONFIG")
    (tmp_path / ".kube").mkdir()
    Path(kubeconfig_path).rename(tmp_path / ".kube" / "config")
    assert load_settings({}).server == "http://two:2"


def test_aliases_of_kubernetes_core_are_read() -> None:
    environment = {"K8S_AUTH_VERIFY_SSL": "no", "K8S_AUTH_SSL_CA_CERT": "/ca", "K8S_AUTH_HOST": "h"}
    assert with_environment({}, environment) == {"host": "h", "ca_cert": "/ca", "validate_certs": False}
    assert with_environment({"validate_certs": True, "ca_cert": ""}, environment)["validate_certs"] is True


def test_host_and_login_need_no_kubeconfig() -> None:
    settings = load_settings(
        {"host": "example.com:6443", "username": "u", "password": "p", "validate_certs": False}
    )
    assert settings.server == "https://example.com:6443"
    assert settings.headers() == {"authorization": "Basic " + base64.b64encode(b"u:p").decode()}
    assert load_settings({"host": "https://h", "api_key": "k"}).headers() == {"authorization": "Bearer k"}


def test_options_override_the_kubeconfig(kubeconfig_path: str) -> None:
    settings = load_settings({"kubeconfig": kubeconfig_path, "host": "http://other:9", "api_key": "k"})
    assert (settings.server, settings.headers()) == ("http://other:9", {"authorization": "Bearer k"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"there is no kubeconfig ~/.kube/config. Set cluster.kubeconfig"),
        ({"kubeconfig": "/missing"}, "there is no kubeconfig /missing"),
        (
            {"kubeconfig": kubeconfig(), "context": "third"},
            r"it has no context third. Set cluster.context to one of: first, second",
        ),
        (
            {"kubeconfig": {**kubeconfig(), "current-context": ""}},
            "it has no current context. Set cluster.context",
        ),
        (
            {"kubeconfig": {**kubeconfig(), "clusters": []}},
            "the kubeconfig in option kubeconfig: context first cannot be used",
        ),
        ({"kubeconf": "x"}, "cluster: unknown key 'kubeconf'. Did you mean 'kubeconfig'"),
        (
            {"host": "https://x", "api_key": "k", "ca_cert": "/missing"},
            "^cluster.ca_cert: /missing does not contain CA certificates in PEM: no such file",
        ),
    ],
)
def test_unusable_settings_are_errors(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        load_settings(given)


def test_file_that_is_not_a_kubeconfig(tmp_path: Path) -> None:
    for text in ("a: [", "just text", "", "[]"):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(ClusterError) as error:
            load_settings({"kubeconfig": str(tmp_path / "bad")})
        assert error.value.reason == "no_cluster"


def kubeconfig_with_login_command(tmp_path: Path, script: str) -> dict[str, Any]:
    """Return a kubeconfig whose user logs in by a command, as in those of cloud providers."""
    path = tmp_path / "login"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return kubeconfig(
        exec={
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(path),
            "interactiveMode": "Never",
        }
    )


def test_login_command_returns_the_token(tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "fresh"},
    }
    settings = load_settings(
        {"kubeconfig": kubeconfig_with_login_command(tmp_path, f"echo '{json.dumps(credential)}'")}
    )
    assert settings.headers() == {"authorization": "Bearer fresh"}


def test_error_of_the_login_command_is_in_the_message(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ClusterError) as error:
        load_settings(
            {
                "kubeconfig": kubeconfig_with_login_command(
                    tmp_path, "echo your session has expired >&2; exit 1"
                )
            }
        )
    assert error.value.reason == "unauthorized"
    assert (
        "the kubeconfig in option kubeconfig: the login command of context first failed"
        in error.value.message
    )
    assert "your session has expired" in error.value.message
    assert capfd.readouterr().err == ""


def test_login_that_cannot_be_renewed_is_an_error() -> None:
    settings = load_settings({"kubeconfig": kubeconfig(token="old")})

    def fail(_configuration: Any) -> None:
        raise OSError("the session has ended")

    settings.configuration.refresh_api_key_hook = fail
    with pytest.raises(ClusterError) as error:
        settings.headers()
    assert error.value.reason == "unauthorized"
    assert error.value.message == (
        "the login of context first of the kubeconfig in option kubeconfig cannot be renewed: the session has ended."
        " Log in again, or set cluster.api_key to a token."
    )


def kubeconfig_with_keys(tmp_path: Path) -> dict[str, Any]:
    """Return a kubeconfig that contains a certificate and its key."""
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=me", "-days", "1"]
    subprocess.run([*request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    data = {
        "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }
    config = kubeconfig(**data)
    config["clusters"][0]["cluster"] = {
        "server": "https://one:1",
        "certificate-authority-data": data["client-certificate-data"],
    }
    return config


def test_keys_are_removed_after_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    config = kubeconfig_with_keys(tmp_path)
    for _attempt in range(2):
        assert load_settings({"kubeconfig": config}).tls is not None
        assert list(folder.iterdir()) == []
    with pytest.raises(ClusterError):
        load_settings({"kubeconfig": config, "ca_cert": "/missing"})
    assert list(folder.iterdir()) == []


def test_threads_load_the_same_kubeconfig(tmp_path: Path) -> None:
    config = kubeconfig_with_keys(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _number: load_settings({"kubeconfig": config}).tls, range(100)))


def test_package_kubernetes_is_imported_only_when_needed() -> None:
    code = (
        "import sys\n"
        "from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client import cluster_client, cluster_options, pod_access\n"
        "from ansible_collections.meshlab.envoy.plugins.module_utils import stats_api\n"
        "assert not {'kubernetes', 'yaml', 'urllib3'} & set(sys.modules)\n"
    )
    # …/ansible_collections/meshlab/envoy/plugins/module_utils/_kube_client/cluster_options.py
    folder = Path(cluster_options.__file__).parents[6]
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(folder)})


def test_documentation_has_all_options() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["cluster"]["suboptions"]
    assert {name: one["type"] for name, one in documented.items()} == {
        name: one["type"] for name, one in CLUSTER_OPTIONS.items()
    }
