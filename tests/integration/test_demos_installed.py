# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed collection works from another folder: its playbooks and roles by their full names."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import subprocess
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from live import ENVOY_VERSION, PLATFORMS, PLAYBOOK, PYTHON_IMAGE, ROOT, Home, Run, docker

Tasks = list[dict[str, Any]]


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the collection, installed from its tarball."""
    folder = tmp_path_factory.mktemp("installed")
    galaxy(folder, "build", str(ROOT), "--output-path", str(folder))
    [tarball] = folder.glob("*.tar.gz")
    galaxy(folder, "install", "--no-deps", "--offline", "--collections-path", str(folder), str(tarball))
    return folder


def galaxy(folder: Path, *arguments: str) -> None:
    # Without variables that point to the checkout, because Ansible does not install a collection that it finds.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    command = [str(PLAYBOOK.with_name("ansible-galaxy")), "collection", *arguments]
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=120)


@contextlib.contextmanager
def outside_of_checkout(platform: str, collections: Path) -> Iterator[Home]:
    """Yield a home from which Ansible does not find the checkout."""
    home = Home(platform)
    home.cwd = home.folder
    home.environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
    del home.environment["ANSIBLE_CONFIG"]
    inventory = home.folder / "hosts.yml"
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    host = {"localhost": {**local, "deployment_platform": platform}}
    inventory.write_text(yaml.safe_dump({"envoy_hosts": {"hosts": host}}), encoding="utf-8")
    home.inventory = str(inventory)
    try:
        yield home
    finally:
        home.close()


def role(name: str, **variables: Any) -> dict[str, Any]:
    task = {
        "ansible.builtin.include_role": {"name": f"meshlab.envoy.{name}", "public": True},
        "vars": variables,
    }
    return {"name": f"Include {name}", **task}


def play(home: Home, tasks: Tasks, *arguments: str, ok: bool = True) -> Run:
    playbook = home.folder / "user.yml"
    play = {"name": "A play of a user", "hosts": "all", "gather_facts": False, "tasks": tasks}
    playbook.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    return home.play(str(playbook), *arguments, ok=ok)


def get(url: str) -> tuple[str, dict[str, str]]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode(), {key.lower(): value for key, value in answer.headers.items()}


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Serve a folder over HTTP; yield the port."""

    class WithoutLog(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(WithoutLog, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_installed_playbooks_deploy_and_remove(collections: Path) -> None:
    with outside_of_checkout("local", collections) as home:
        demo = home.demo("front_proxy")
        try:
            assert "16 of 16 expectations hold" in home.play("meshlab.envoy.site", demo=demo).words
        finally:
            home.play("meshlab.envoy.teardown", demo=demo)
        assert home.remaining("front_proxy") == []


@contextlib.contextmanager
def foreign_app(home: Home) -> Iterator[dict[str, Any]]:
    """Run an app that is not the demo app; yield the variables with which envoy_sidecar reaches it."""
    (home.folder / "www").mkdir()
    (home.folder / "www" / "index.html").write_text("foreign\n")
    if home.platform == "local":
        with serving(home.folder / "www") as port:
            yield {"envoy_sidecar_cluster": {"address": "127.0.0.1", "port": port}}
        return
    name = f"{home.prefix}-foreign"
    docker("network", "create", name)
    try:
        shell = "mkdir /tmp/www && echo foreign > /tmp/www/index.html && exec python3 -m http.server -d /tmp/www 8000"
        docker(
            "run",
            "--detach",
            "--init",
            "--rm",
            "--name",
            name,
            "--network",
            name,
            PYTHON_IMAGE,
            "sh",
            "-c",
            shell,
        )
        yield {"envoy_sidecar_cluster": {"address": name, "port": 8000}, "deployment_network": name}
    finally:
        docker("rm", "--force", name)
        docker("network", "rm", name)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_sidecar_forwards_to_a_foreign_app(platform: str, collections: Path) -> None:
    with outside_of_checkout(platform, collections) as home, foreign_app(home) as app:
        port, admin = 10000 + home.shift, 9901 + home.shift
        sidecar = {
            "envoy_sidecar_name": home.name("sidecar"),
            "envoy_sidecar_ports": 10200 + home.shift,
            "envoy_sidecar_listener": {"port": port, "publish": port},
            "envoy_sidecar_admin": {"publish": admin},
            "envoy_sidecar_timeout": "3s",
            **app,
        }
        try:
            play(home, [role("envoy_sidecar", **sidecar)])
            body, headers = get(f"http://127.0.0.1:{port}/")
            assert body == "foreign\n"
            assert headers["server"] == "envoy"
            assert "x-envoy-upstream-service-time" in headers
            assert json.loads(get(f"http://127.0.0.1:{admin}/server_info")[0])["state"] == "LIVE"
            again = play(home, [role("envoy_sidecar", **sidecar)])
            assert again.recap["changed"] == 0, again.output
        finally:
            play(home, [role("envoy_sidecar", **sidecar, envoy_sidecar_state="absent")])
        assert home.remaining("sidecar") == []


def provide_envoy(home: Home, *arguments: str, ok: bool = True, **variables: Any) -> Any:
    """Run role envoy_image. Return its fact and the number of changes, or the error."""
    fact = home.folder / "artifacts.json"
    copy = {"content": "{{ envoy_image_artifacts | to_json }}", "dest": str(fact), "mode": "0600"}
    write = {
        "name": "Write the fact",
        "ansible.builtin.copy": copy,
        "check_mode": False,
        "changed_when": False,
    }
    ran = play(home, [role("envoy_image", **variables), write], *arguments, ok=ok)
    return (json.loads(fact.read_text()), ran.recap["changed"]) if ok else ran.error


def test_envoy_binary_from_each_source(collections: Path) -> None:
    with outside_of_checkout("local", collections) as home:
        home.variables = {"deployment_cache": str(home.folder / "cache")}

        provide_envoy(home, "--check")
        assert not (home.folder / "cache").exists(), "--check changed a fresh host"
        wheel, _changed = provide_envoy(home)
        version = subprocess.run(
            [wheel["executable"], "--version"], capture_output=True, text=True, check=True
        ).stdout
        assert f"/{ENVOY_VERSION}/" in version
        # Not the script of the wheel, which starts Python first.
        assert Path(os.path.expanduser(wheel["executable"])).read_bytes()[:4] == b"\x7fELF"
        assert provide_envoy(home)[1] == 0

        by_path = {"envoy_image_source": "path", "envoy_image_path": wheel["executable"]}
        assert provide_envoy(home, **by_path) == (wheel, 0)

        www = home.folder / "www"
        www.mkdir()
        with tarfile.open(www / "envoy.tar", "w") as archive:
            archive.add(os.path.realpath(wheel["executable"]), "envoy-x86_64/bin/envoy")
        checksum = hashlib.sha256((www / "envoy.tar").read_bytes()).hexdigest()
        with serving(www) as port:
            url = f"http://127.0.0.1:{port}/envoy.tar"
            archived = {"envoy_image_source": "archive", "envoy_image_archive_url": url}
            wrong = provide_envoy(
                home, **archived, envoy_image_archive_checksum=f"sha256:{'0' * 64}", ok=False
            )
            assert "checksum" in wrong
            good = {**archived, "envoy_image_archive_checksum": f"sha256:{checksum}"}
            extracted, changed = provide_envoy(home, **good)
            assert changed > 0
            assert extracted["executable"] != wheel["executable"]
            assert provide_envoy(home, **good) == (extracted, 0)
        assert os.access(os.path.expanduser(extracted["executable"]), os.X_OK)


STATIC_CONFIG = """
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
static_resources:
  listeners:
    - name: stock
      address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.direct_response
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config
                response: {filename: /etc/envoy/answer.txt}
"""


@pytest.mark.docker
def test_custom_envoy_image_is_built_and_pushed(collections: Path) -> None:
    registry = os.environ.get("MESHLAB_LAB_REGISTRY", "")
    with outside_of_checkout("docker", collections) as home:
        build = {
            "envoy_image_source": "build",
            "envoy_image_build_name": f"{home.prefix}/envoy",
            "envoy_image_build_config": STATIC_CONFIG,
            "envoy_image_build_files": [{"path": "/etc/envoy/answer.txt", "content": "baked in\n"}],
            "envoy_image_build_labels": {"team": "foreign"},
            "envoy_image_build_registry": registry,
            "envoy_image_cache": str(home.folder / "cache"),
        }
        built, _changed = provide_envoy(home, **build)
        image, container = built["image"], f"{home.prefix}-built"
        try:
            # With a random user id and group 0, as on OpenShift, and without write access.
            confined = ["--user", "1000620000:0", "--read-only", "--cap-drop", "ALL"]
            docker(
                "run",
                "--detach",
                "--rm",
                "--name",
                container,
                "--publish",
                "127.0.0.1::10000",
                *confined,
                image,
            )
            port = docker("port", container, "10000/tcp")[0].rpartition(":")[2]
            command = [
                "curl",
                "--silent",
                "--http0.9",
                "--retry",
                "20",
                "--retry-delay",
                "1",
                "--retry-all-errors",
                "--max-time",
                "30",
            ]
            ran = subprocess.run(
                [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=False
            )
            assert ran.stdout == "baked in\n", ran
            assert docker("inspect", "--format", "{{.Config.User}} {{.Config.Labels.team}}", image) == [
                "101:101 foreign"
            ]
            if registry:
                assert f"v{ENVOY_VERSION}" in get(f"http://{registry}/v2/{home.prefix}/envoy/tags/list")[0]
            assert provide_envoy(home, **build)[1] == 0
        finally:
            docker("rm", "--force", container)
            docker("rmi", "--force", image)


@pytest.mark.docker
def test_official_envoy_image_is_pulled_and_checked(collections: Path) -> None:
    with outside_of_checkout("docker", collections) as home:
        official = {"version": ENVOY_VERSION, "image": f"envoyproxy/envoy:v{ENVOY_VERSION}"}
        assert provide_envoy(home)[0].items() >= official.items()
        # The role checks the version in the image, because a tag can be wrong.
        docker("tag", official["image"], f"{home.prefix}/envoy:v1.39.0")
        try:
            wrong = provide_envoy(
                home, envoy_image_version="1.39.0", envoy_image_repository=f"{home.prefix}/envoy", ok=False
            )
            assert f"{home.prefix}/envoy:v1.39.0 is not Envoy 1.39.0 (" in wrong
            assert "Choose another one, or set envoy_image_version to its version" in wrong
        finally:
            docker("rmi", f"{home.prefix}/envoy:v1.39.0")
