# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain kubeconfigs, read with and without the package `kubernetes`: the same settings, and the same errors."""

from __future__ import annotations

import base64
import datetime as dt
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client import (
    cluster_options,
    connection_settings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login import plain_kubeconfig

Kubeconfig = dict[str, Any]
SERVER = "https://one:1"


@pytest.fixture(autouse=True)
def _no_settings_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in [*os.environ]:
        if key.startswith(("K8S_AUTH_", "KUBE")) or key.lower().endswith("_proxy"):
            monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    # It takes 50 ms, and the certificates of this machine do not matter.
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda _context: None)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a certificate c.pem and its key k.pem."""
    folder = tmp_path_factory.mktemp("pem")
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    rest = ["-nodes", "-subj", "/CN=me", "-days", "1", "-keyout", "k.pem", "-out", "c.pem"]
    subprocess.run([*request, *rest], check=True, capture_output=True, cwd=folder)
    return folder


def kubeconfig(
    user: Any = None, cluster: dict[str, Any] | None = None, context: dict[str, Any] | None = None, **top: Any
) -> Kubeconfig:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": "one", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "me", "user": {"token": "t"} if user is None else user}],
        "contexts": [{"name": "first", "context": {"cluster": "one", "user": "me", **(context or {})}}],
        "current-context": "first",
        **top,
    }


class Ways:
    """Reads settings in both ways."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.used_package = False
        package = connection_settings._load_with_package

        def observed(*given: Any) -> Any:
            self.used_package = True
            return package(*given)

        monkeypatch.setattr(connection_settings, "_load_with_package", observed)

    def both(self, options: dict[str, Any]) -> tuple[Any, Any]:
        plain = outcome(options)
        with self._monkeypatch.context() as patched:
            patched.setattr(connection_settings, "_load_plain", refuse)
            self.used_package, used = False, self.used_package
            library = outcome(options)
            assert self.used_package
            self.used_package = used
        return plain, library


def refuse(*_given: Any) -> Any:
    raise plain_kubeconfig.NotPlainError


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


def outcome(options: dict[str, Any]) -> Any:
    """Return everything that a connection uses, or the error. Names of temporary files are replaced."""
    certificates: list[Any] = []
    context = connection_settings.client_context

    def observed(**given: Any) -> ssl.SSLContext:
        certificates.append({key: content(value) for key, value in given.items()})
        return context(**given)

    connection_settings.client_context = observed  # type: ignore[assignment]
    try:
        settings = connection_settings.load_settings(options)
    except ClusterError as error:
        return error.reason, re.sub(r"/\S*/tmp\w+/[\w-]+", "FILE", error.message)
    finally:
        connection_settings.client_context = context
    shown = {key: value for key, value in vars(settings).items() if key not in ("configuration", "tls")}
    return shown | {
        "verify": settings.configuration.verify_ssl,
        "headers": settings.headers(),
        "certificates": certificates,
        "tls": settings.tls and (settings.tls.verify_mode, settings.tls.get_ca_certs()),
    }


def content(value: Any) -> Any:
    return (
        Path(value).read_text(encoding="utf-8") if isinstance(value, str) and os.path.isfile(value) else value
    )


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


PLAIN: dict[str, Kubeconfig] = {
    "token": kubeconfig(),
    "no user entry": kubeconfig(users=[]),
    "no users": {key: value for key, value in kubeconfig().items() if key != "users"},
    "users is null": kubeconfig(users=None),
    "context without user": kubeconfig(context={"user": ""}),
    "user without login": kubeconfig({}),
    "unknown user": kubeconfig(context={"user": "other"}),
    "empty token": kubeconfig({"token": ""}),
    "empty token and its file": kubeconfig({"token": "", "tokenFile": "token"}),
    "token before its file": kubeconfig({"token": "t", "tokenFile": "token"}),
    "token before password": kubeconfig({"token": "t", "username": "u", "password": "p"}),
    "password": kubeconfig({"username": "u", "password": "p:é"}),
    "empty password": kubeconfig({"username": "", "password": ""}),
    "name without password": kubeconfig({"username": "u"}),
    "namespace": kubeconfig(context={"namespace": "shop"}),
    "null namespace": kubeconfig(context={"namespace": None}),
    "extensions": kubeconfig(
        cluster={"extensions": [{"name": "x", "extension": {}}]}, context={"extensions": []}
    ),
    "disabled compression": kubeconfig(cluster={"disable-compression": True}),
    "http": kubeconfig(cluster={"server": "http://one:1/"}),
    "certificates of http are unused": kubeconfig(
        {"client-certificate": "missing"}, {"server": "http://one:1", "certificate-authority": "missing"}
    ),
    "path of the server": kubeconfig(cluster={"server": "https://one/k8s/clusters/c-1//"}),
    "no verification": kubeconfig(cluster={"insecure-skip-tls-verify": True}),
    "stated verification": kubeconfig(cluster={"insecure-skip-tls-verify": False}),
    "name of the server": kubeconfig(cluster={"tls-server-name": "other"}),
    "empty name of the server": kubeconfig(cluster={"tls-server-name": ""}),
    "proxy": kubeconfig(cluster={"proxy-url": "http://proxy:3128"}),
    "empty proxy": kubeconfig(cluster={"proxy-url": ""}),
    "empty certificate data": kubeconfig(cluster={"certificate-authority-data": ""}),
    "impersonation": kubeconfig(
        {
            "token": "t",
            "as": "jane",
            "as-uid": 7,
            "as-groups": ["a", "b"],
            "as-user-extra": {"k/x": ["v", "w"]},
        }
    ),
    "impersonation without login": kubeconfig({"as": "jane"}),
    "lines in data": kubeconfig(cluster={"certificate-authority-data": "LS0t\n LS0t"}),  # refused by OpenSSL
}
NOT_PLAIN: dict[str, Any] = {
    "no context": kubeconfig(contexts=[]),
    "contexts is null": kubeconfig(contexts=None),
    "contexts is a mapping": kubeconfig(contexts={"name": "first"}),
    "context without name": kubeconfig(contexts=[{"context": {}}]),
    "context is text": kubeconfig(contexts=["first"]),
    "two contexts of one name": kubeconfig(contexts=kubeconfig()["contexts"] * 2),
    "name is a number": kubeconfig(
        contexts=[{"name": 1, "context": {"cluster": "one"}}], **{"current-context": 1}
    ),
    "no current context": kubeconfig(**{"current-context": None}),
    "unknown current context": kubeconfig(**{"current-context": "other"}),
    "empty context": kubeconfig(contexts=[{"name": "first", "context": {}}]),
    "context is null": kubeconfig(contexts=[{"name": "first", "context": None}]),
    "no cluster": kubeconfig(clusters=[]),
    "clusters is null": kubeconfig(clusters=None),
    "cluster is null": kubeconfig(clusters=[{"name": "one", "cluster": None}]),
    "cluster is empty": kubeconfig(clusters=[{"name": "one", "cluster": {}}]),
    "two clusters of one name": kubeconfig(clusters=kubeconfig()["clusters"] * 2),
    "unknown key of a context": kubeconfig(context={"namespaces": "x"}),
    "unknown key of a cluster": kubeconfig(cluster={"sever": "x"}),
    "unknown key of a user": kubeconfig({"tokn": "x"}),
    "null server": kubeconfig(cluster={"server": None}),
    "server is a number": kubeconfig(cluster={"server": 6443}),
    "server is no URL": kubeconfig(cluster={"server": "https://[::1"}),
    "null token": kubeconfig({"token": None}),
    "token is a number": kubeconfig({"token": 123}),
    "token is a date": kubeconfig({"token": dt.date(2026, 1, 1)}),
    "null password": kubeconfig({"username": "u", "password": None}),
    "password is not Latin-1": kubeconfig({"username": "u", "password": "€"}),
    "user is text": kubeconfig("token"),
    "user is a list": kubeconfig(["token"]),
    "missing token file": kubeconfig({"tokenFile": "missing"}),
    "token file is a folder": kubeconfig({"tokenFile": ""}),
    "missing authority": kubeconfig(cluster={"certificate-authority": "missing"}),
    "empty path of the authority": kubeconfig(cluster={"certificate-authority": ""}),
    "null authority": kubeconfig(cluster={"certificate-authority-data": None}),
    "authority is not Base64": kubeconfig(cluster={"certificate-authority-data": "abcde"}),
    "missing certificate": kubeconfig({"client-certificate": "missing"}),
    "key is not Base64": kubeconfig({"client-key-data": "a"}),
    "verification is text": kubeconfig(cluster={"insecure-skip-tls-verify": "true"}),
    "null verification": kubeconfig(cluster={"insecure-skip-tls-verify": None}),
    "proxy is null": kubeconfig(cluster={"proxy-url": None}),
    "groups are text": kubeconfig({"token": "t", "as-groups": "admins"}),
    "extra is a list": kubeconfig({"token": "t", "as-user-extra": ["a"]}),
    "extra has texts": kubeconfig({"token": "t", "as-user-extra": {"a": "b"}}),
    "login command": kubeconfig(
        {"exec": {"command": "/missing", "apiVersion": "client.authentication.k8s.io/v1"}}
    ),
    "login of a provider": kubeconfig({"auth-provider": {"name": "oidc"}}),
    "token and login command": kubeconfig({"token": "t", "exec": {}}),
}


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "data"])
@pytest.mark.parametrize("case", PLAIN)
def test_plain_kubeconfig_needs_no_package(case: str, as_file: bool, ways: Ways, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file")
    (tmp_path / "config").write_text(yaml.safe_dump(PLAIN[case]))
    plain, library = ways.both({"kubeconfig": "config" if as_file else PLAIN[case]})
    assert plain == library
    assert not ways.used_package


# In files, the first entry of a name counts: see test_merged_files.
@pytest.mark.parametrize(
    ("case", "as_file"),
    [
        *((case, False) for case in NOT_PLAIN),
        *((case, True) for case in NOT_PLAIN if not case.startswith("two ")),
    ],
)
def test_package_reads_other_kubeconfigs(case: str, as_file: bool, ways: Ways, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(yaml.safe_dump(NOT_PLAIN[case]))
    plain, library = ways.both({"kubeconfig": "config" if as_file else NOT_PLAIN[case]})
    assert plain == library
    assert ways.used_package


@pytest.mark.parametrize(
    "text", ["", "[]", "just text", "a: [", "a: 1\n--- \nb: 2", "users: 5", "\x00", "- " * 2000]
)
def test_files_that_are_no_kubeconfigs(text: str, ways: Ways, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text)
    plain, library = ways.both({"kubeconfig": "config"})
    assert plain == library
    assert plain[0] == "no_cluster"


# DATA_C and DATA_K are the certificate and its key in Base64, PATH_C and PATH_K are their paths.
CERTIFICATES: dict[str, Kubeconfig] = {
    "data": kubeconfig(
        {"client-certificate-data": "DATA_C", "client-key-data": "DATA_K"},
        {"certificate-authority-data": "DATA_C"},
    ),
    "paths": kubeconfig(
        {"client-certificate": "PATH_C", "client-key": "PATH_K"}, {"certificate-authority": "PATH_C"}
    ),
    "data before paths": kubeconfig(
        {"client-certificate-data": "DATA_C", "client-certificate": "missing", "client-key": "PATH_K"},
        {"certificate-authority-data": "DATA_C", "certificate-authority": "missing"},
    ),
    "empty data before a path": kubeconfig(
        {}, {"certificate-authority-data": "", "certificate-authority": "PATH_C"}
    ),
    "certificate without key": kubeconfig({"client-certificate-data": "DATA_C"}),
    "key without certificate": kubeconfig({"client-key-data": "DATA_K"}),
    "certificate as key": kubeconfig({"client-certificate-data": "DATA_C", "client-key-data": "DATA_C"}),
    "spaces in Base64": kubeconfig(cluster={"certificate-authority-data": " DATA_C "}),
    "certificate and token": kubeconfig(
        {"client-certificate": "PATH_C", "client-key": "PATH_K", "token": "t"}
    ),
}


def filled(value: Any, pem: Path) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, pem) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, pem) for item in value]
    if isinstance(value, str):
        for name in ("c", "k"):
            value = value.replace(f"DATA_{name.upper()}", encoded(pem / f"{name}.pem"))
            value = value.replace(f"PATH_{name.upper()}", str(pem / f"{name}.pem"))
    return value


@pytest.mark.parametrize("case", CERTIFICATES)
def test_certificates_and_keys(case: str, ways: Ways, pem: Path) -> None:
    plain, library = ways.both({"kubeconfig": filled(CERTIFICATES[case], pem)})
    assert plain == library
    assert not ways.used_package


def test_relative_paths_begin_at_the_folder_of_the_file(ways: Ways, pem: Path, tmp_path: Path) -> None:
    """A relative path of a user's certificate begins at the folder of the cluster, and that of its token at the user's own."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("c.pem", "k.pem"):
        (tmp_path / "a" / name).write_bytes((pem / name).read_bytes())
    (tmp_path / "b" / "token").write_text("from-b")
    whole = kubeconfig(
        {"client-certificate": "c.pem", "client-key": "./k.pem", "tokenFile": "token"},
        {"certificate-authority": "../a/c.pem"},
    )
    (tmp_path / "a" / "config").write_text(yaml.safe_dump({"clusters": whole["clusters"]}))
    rest = {key: value for key, value in whole.items() if key != "clusters"}
    (tmp_path / "b" / "config").write_text(yaml.safe_dump(rest))
    plain, library = ways.both({"kubeconfig": f"a/config{os.pathsep}b/config"})
    assert plain == library
    assert plain["headers"] == {"authorization": "Bearer from-b"}
    assert plain["certificates"][0]["key"] == (pem / "k.pem").read_text()
    assert not ways.used_package
    plain, library = ways.both({"kubeconfig": "b/config"})
    assert plain == library
    assert plain[0] == "no_cluster"


def test_merged_files(ways: Ways, tmp_path: Path) -> None:
    """The first entry of a name counts, also within one file, and the last current context."""
    first, second = kubeconfig({"token": "one"}), kubeconfig({"token": "two"}, context={"namespace": "two"})
    first["users"].append({"name": "me", "user": {"token": "again"}})
    second["contexts"].append(
        {"name": "other", "context": {"cluster": "one", "user": "me", "namespace": "o"}}
    )
    second["current-context"] = "other"
    third = {"users": None, "contexts": []}
    for number, one in enumerate((first, second, third)):
        (tmp_path / f"{number}").write_text(yaml.safe_dump(one))
    plain, library = ways.both({"kubeconfig": "missing:0:1:2"})
    assert plain == library
    assert (plain["namespace"], plain["headers"]) == ("o", {"authorization": "Bearer one"})
    plain, library = ways.both({"kubeconfig": "0:1", "context": "first"})
    assert plain == library
    assert plain["namespace"] == "default"
    assert not ways.used_package
    (tmp_path / "2").write_text("current-context:")
    plain, library = ways.both({"kubeconfig": "0:1:2"})
    assert plain == library
    assert "no current context" in plain[1]


@pytest.mark.parametrize(
    "options",
    [
        {"host": "http://other"},
        {"host": "other:6443", "api_key": "k"},
        {"host": "https://[::1", "api_key": "k"},
        {"username": "u", "password": "p"},
        {"username": "u", "password": "€"},
        {"ca_cert": "/missing"},
        {"validate_certs": False},
        {"validate_certs": True},
        {"proxy": "http://p:1"},
        {"namespace": "n", "impersonate_user": "joe", "impersonate_groups": ["a"]},
        {"context": "missing"},
    ],
    ids=str,
)
@pytest.mark.parametrize("case", ["token", "proxy", "no verification", "impersonation", "login command"])
def test_options_override_the_kubeconfig(case: str, options: dict[str, Any], ways: Ways) -> None:
    plain, library = ways.both({"kubeconfig": {**PLAIN, **NOT_PLAIN}[case], **options})
    assert plain == library


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"https_proxy": "http://p:1"}, "http://p:1"),
        ({"http_proxy": "http://p:1"}, ""),
        ({"all_proxy": "http://p:2"}, "http://p:2"),
        ({"https_proxy": "http://p:1", "no_proxy": "one"}, ""),
        ({"https_proxy": "http://p:1", "no_proxy": "two"}, "http://p:1"),
    ],
)
def test_proxy_of_the_environment(
    variables: dict[str, str], proxy: str, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    plain, library = ways.both({"kubeconfig": kubeconfig()})
    assert plain == library
    assert plain["proxy"] == proxy
    stated, library = ways.both({"kubeconfig": kubeconfig(cluster={"proxy-url": "http://own:3"})})
    assert stated == library
    # The scheme of another host may have another proxy.
    other, library = ways.both({"kubeconfig": kubeconfig(), "host": "http://one:1"})
    assert other == library


def test_certificate_data_is_removed_after_loading(pem: Path, tmp_path: Path) -> None:
    before = set(Path(connection_settings.tempfile.gettempdir()).glob("tmp*/client-key"))
    connection_settings.load_settings({"kubeconfig": filled(CERTIFICATES["data"], pem)})
    assert set(Path(connection_settings.tempfile.gettempdir()).glob("tmp*/client-key")) <= before


def test_plain_settings_import_no_kubernetes(pem: Path, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(yaml.safe_dump(filled(CERTIFICATES["data"], pem)))
    code = (
        "import sys\n"
        "from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect\n"
        "for one in ({'kubeconfig': 'config'}, {'host': 'https://h', 'api_key': 'k'},"
        " {'host': 'h', 'username': 'u', 'password': 'p'}):\n"
        "    connect(one).close()\n"
        "assert 'kubernetes' not in sys.modules\n"
        "assert 'urllib3' in sys.modules\n"
    )
    # …/ansible_collections/meshlab/envoy/plugins/module_utils/_kube_client/cluster_options.py
    folder = Path(cluster_options.__file__).parents[6]
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(folder)}, cwd=tmp_path)
