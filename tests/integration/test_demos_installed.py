# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection built, installed, and used from somebody else's folder: its playbooks and roles by their full names."""

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
from live import PLATFORMS, PLAYBOOK, ROOT, Home, Run, docker

Tasks = list[dict[str, Any]]
VERSION = "1.40.0"
PYTHON_IMAGE = "python:3.11-slim-bookworm"


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the collection in it, installed from its tarball."""
    folder = tmp_path_factory.mktemp("installed")
    galaxy(folder, "build", str(ROOT), "--output-path", str(folder))
    [tarball] = folder.glob("*.tar.gz")
    galaxy(folder, "install", "--no-deps", "--offline", "--collections-path", str(folder), str(tarball))
    return folder


def galaxy(folder: Path, *arguments: str) -> None:
    # Without what points to the checkout: what is there already would not be installed.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    command = [str(PLAYBOOK.with_name("ansible-galaxy")), "collection", *arguments]
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=120)


@contextlib.contextmanager
def elsewhere(platform: str, collections: Path) -> Iterator[Home]:
    """A home from which playbooks find nothing of the checkout."""
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
    playbook = home.folder / "theirs.yml"
    theirs = {"name": "Somebody else's", "hosts": "all", "gather_facts": False, "tasks": tasks}
    playbook.write_text(yaml.safe_dump([theirs], sort_keys=False), encoding="utf-8")
    return home.play(str(playbook), *arguments, ok=ok)


def get(url: str) -> tuple[str, dict[str, str]]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode(), {key.lower(): value for key, value in answer.headers.items()}


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Serve a folder over HTTP; yield the port."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_playbooks_by_their_full_names(collections: Path) -> None:
    with elsewhere("local", collections) as home:
        demo = home.demo("front_proxy")
        try:
            assert "16 of 16 expectations hold" in home.play("meshlab.envoy.site", demo=demo).words
        finally:
            home.play("meshlab.envoy.teardown", demo=demo)
        assert home.left("front_proxy") == []


@contextlib.contextmanager
def their_app(home: Home) -> Iterator[dict[str, Any]]:
    """An app that is not ours; yield the variables by which envoy_sidecar reaches it."""
    (home.folder / "www").mkdir()
    (home.folder / "www" / "index.html").write_text("theirs\n")
    if home.platform == "local":
        with serving(home.folder / "www") as port:
            yield {"envoy_sidecar_cluster": {"address": "127.0.0.1", "port": port}}
        return
    name = f"{home.prefix}-theirs"
    docker("network", "create", name)
    try:
        shell = "mkdir /tmp/www && echo theirs > /tmp/www/index.html && exec python3 -m http.server -d /tmp/www 8000"
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
def test_a_sidecar_in_front_of_somebody_elses_app(platform: str, collections: Path) -> None:
    with elsewhere(platform, collections) as home, their_app(home) as app:
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
            assert body == "theirs\n"
            assert headers["server"] == "envoy"
            assert "x-envoy-upstream-service-time" in headers
            assert json.loads(get(f"http://127.0.0.1:{admin}/server_info")[0])["state"] == "LIVE"
            again = play(home, [role("envoy_sidecar", **sidecar)])
            assert again.recap["changed"] == 0, again.output
        finally:
            play(home, [role("envoy_sidecar", **sidecar, envoy_sidecar_state="absent")])
        assert home.left("sidecar") == []


def program(home: Home, *arguments: str, ok: bool = True, **variables: Any) -> Any:
    """Provide an Envoy by role envoy_image; return what it says that others run, or why it could not be provided."""
    answer = home.folder / "program.json"
    copy = {"content": "{{ envoy_image_artifacts | to_json }}", "dest": str(answer), "mode": "0600"}
    told = {"name": "Tell", "ansible.builtin.copy": copy, "check_mode": False, "changed_when": False}
    ran = play(home, [role("envoy_image", **variables), told], *arguments, ok=ok)
    return (json.loads(answer.read_text()), ran.recap["changed"]) if ok else ran.error


def test_an_envoy_binary_from_each_source(collections: Path) -> None:
    with elsewhere("local", collections) as home:
        home.variables = {"deployment_cache": str(home.folder / "cache")}

        program(home, "--check")
        assert not (home.folder / "cache").exists(), "--check on a fresh host changed something"
        wheel, _changed = program(home)
        said = subprocess.run(
            [wheel["executable"], "--version"], capture_output=True, text=True, check=True
        ).stdout
        assert f"/{VERSION}/" in said
        assert program(home)[1] == 0

        by_path = {"envoy_image_source": "path", "envoy_image_path": wheel["executable"]}
        assert program(home, **by_path) == (wheel, 0)

        www = home.folder / "www"
        www.mkdir()
        with tarfile.open(www / "envoy.tar", "w") as archive:
            archive.add(os.path.realpath(wheel["executable"]), "envoy-x86_64/bin/envoy")
        checksum = hashlib.sha256((www / "envoy.tar").read_bytes()).hexdigest()
        with serving(www) as port:
            url = f"http://127.0.0.1:{port}/envoy.tar"
            archived = {"envoy_image_source": "archive", "envoy_image_archive_url": url}
            wrong = program(home, **archived, envoy_image_archive_checksum=f"sha256:{'0' * 64}", ok=False)
            assert "checksum" in wrong
            good = {**archived, "envoy_image_archive_checksum": f"sha256:{checksum}"}
            taken, changed = program(home, **good)
            assert changed > 0
            assert taken["executable"] != wheel["executable"]
            assert program(home, **good) == (taken, 0)
        assert os.access(os.path.expanduser(taken["executable"]), os.X_OK)


STOCK = """
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
def test_an_envoy_image_of_ones_own(collections: Path) -> None:
    registry = os.environ.get("MESHLAB_LAB_REGISTRY", "")
    with elsewhere("docker", collections) as home:
        build = {
            "envoy_image_source": "build",
            "envoy_image_build_name": f"{home.prefix}/envoy",
            "envoy_image_build_config": STOCK,
            "envoy_image_build_files": [{"path": "/etc/envoy/answer.txt", "content": "baked in\n"}],
            "envoy_image_build_labels": {"team": "theirs"},
            "envoy_image_build_registry": registry,
            "envoy_image_cache": str(home.folder / "cache"),
        }
        built, _changed = program(home, **build)
        image, container = built["image"], f"{home.prefix}-built"
        try:
            # Under a random uid of group 0, as OpenShift has it, and with nothing to write to.
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
                "101:101 theirs"
            ]
            if registry:
                assert "v1.40.0" in get(f"http://{registry}/v2/{home.prefix}/envoy/tags/list")[0]
            assert program(home, **build)[1] == 0
        finally:
            docker("rm", "--force", container)
            docker("rmi", "--force", image)


@pytest.mark.docker
def test_the_official_envoy_image(collections: Path) -> None:
    with elsewhere("docker", collections) as home:
        official = {"version": VERSION, "image": f"envoyproxy/envoy:v{VERSION}"}
        assert program(home)[0].items() >= official.items()
        # It is asked for its version: a tag can lie.
        docker("tag", official["image"], f"{home.prefix}/envoy:v1.39.0")
        try:
            wrong = program(
                home, envoy_image_version="1.39.0", envoy_image_repository=f"{home.prefix}/envoy", ok=False
            )
            assert f"{home.prefix}/envoy:v1.39.0 is not Envoy 1.39.0 (" in wrong
            assert "choose another, or set envoy_image_version to what it is" in wrong
        finally:
            docker("rmi", f"{home.prefix}/envoy:v1.39.0")
