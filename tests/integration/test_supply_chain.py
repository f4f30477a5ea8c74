# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that roles install on hosts are verified: wheels and archives by their digests, a Go build by go.sum."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from live import ROOT, Home

WRONG = "0" * 64
EXPORTER = "9.9.9"
SYSTEM = f"linux-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}[platform.machine()] }"
ARCHIVE = f"statsd_exporter-{EXPORTER}.{SYSTEM}.tar.gz"


@pytest.fixture
def home() -> Iterator[Home]:
    """Yield an empty home whose cache has no programs."""
    found = Home("local")
    # Relative to HOME, which is not the home folder in the user database.
    found.variables["deployment_cache"] = "~/cache"
    try:
        yield found
    finally:
        found.close()


def provide(home: Home, role: str, tasks_from: str, ok: bool = True, **variables: Any) -> str:
    """Run a task file of a role on localhost, and return the output on one line."""
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.include_role": {"name": f"meshlab.envoy.{role}", "tasks_from": tasks_from}}
        ],
    }
    path = home.folder / "provide.yml"
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")
    return home.play(str(path), ok=ok, **variables).words


def installed(home: Home) -> list[str]:
    """Return the programs in the cache."""
    cache = home.folder / "cache"
    return [
        str(path)
        for name in ("envoy", "supervisord", "statsd_exporter")
        for path in cache.glob(f"**/{name}")
        if path.is_file()
    ]


def test_wheel_with_another_hash_is_not_installed(home: Home) -> None:
    printed = provide(home, "deployment", "supervisor.yml", ok=False, deployment_supervisor_hashes=[WRONG])
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in printed, printed
    assert installed(home) == []
    provide(home, "deployment", "supervisor.yml")
    assert len(installed(home)) == 1


def test_version_without_a_known_hash_is_refused(home: Home) -> None:
    printed = provide(home, "envoy_image", "main", ok=False, envoy_image_version="1.40.9")
    assert (
        "envoy_image_version: no hash is known for the wheel of Envoy 1.40.9. Choose one of 1.36.4, "
        in printed
    )
    printed = provide(home, "deployment", "supervisor.yml", ok=False, deployment_supervisor_version="4.2.5")
    assert (
        "deployment_supervisor_version: no hash is known for the wheel of supervisor 4.2.5. Choose one of 4.3.0, "
        in printed
    )
    assert not (home.folder / "cache").exists()


@pytest.fixture
def releases(home: Home) -> Iterator[tuple[str, str]]:
    """Serve a release of statsd_exporter, and yield its URL and the digest of its archive."""
    folder = home.folder / "releases" / f"v{EXPORTER}"
    folder.mkdir(parents=True)
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        script = b"#!/bin/sh\necho statsd_exporter\n"
        member = tarfile.TarInfo(f"{ARCHIVE.removesuffix('.tar.gz')}/statsd_exporter")
        member.size, member.mode = len(script), 0o755
        archive.addfile(member, io.BytesIO(script))
    digest = hashlib.sha256((folder / ARCHIVE).read_bytes()).hexdigest()
    (folder / "sha256sums.txt").write_text(f"{digest}  {ARCHIVE}\n", encoding="utf-8")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", digest
        finally:
            server.shutdown()
            thread.join()


def test_archive_is_verified(home: Home, releases: tuple[str, str]) -> None:
    url, digest = releases
    chosen = {
        "statsd_exporter_source": "archive",
        "statsd_exporter_path": "",
        "statsd_exporter_version": EXPORTER,
        "statsd_exporter_releases": url,
    }
    wrong = chosen | {"statsd_exporter_archive_checksum": f"sha256:{WRONG}"}
    printed = provide(home, "statsd_exporter", "provide", ok=False, **wrong)
    assert "checksum" in printed
    assert f"{ARCHIVE} is downloaded (0.0 MB)." in printed, "the size is printed before the download"
    assert installed(home) == []

    right = chosen | {"statsd_exporter_archive_checksum": f"sha256:{digest}"}
    provide(home, "statsd_exporter", "provide", **right)
    assert len(installed(home)) == 1

    # Without a checksum of the user or of the collection, the one of the release.
    shutil.rmtree(home.folder / "cache")
    provide(home, "statsd_exporter", "provide", **chosen)
    assert len(installed(home)) == 1


@pytest.mark.skipif(shutil.which("go") is None, reason="go is in no folder of PATH")
def test_go_build_is_verified_by_go_sum(tmp_path: Path) -> None:
    source = ROOT / "roles" / "statsd_exporter" / "files" / "go"
    module = shutil.copytree(source, tmp_path / "go")
    environment = os.environ | {"GOFLAGS": "-mod=readonly", "GOSUMDB": "off"}
    command = ["go", "list", "-deps", "github.com/prometheus/statsd_exporter"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=module, env=environment, capture_output=True, text=True, check=False
        )

    verified = run()
    assert verified.returncode == 0, verified.stderr
    assert "github.com/prometheus/client_golang/prometheus" in verified.stdout
    sums = (module / "go.sum").read_text(encoding="utf-8")
    start = sums.index("github.com/prometheus/statsd_exporter v")
    line = sums[start : sums.index("\n", start)]
    name, version, digest = line.split()
    (module / "go.sum").write_text(sums.replace(line, f"{name} {version} h1:{'A' * 43}="), encoding="utf-8")
    refused = run()
    assert refused.returncode
    assert "checksum mismatch" in refused.stderr, (digest, refused.stderr)
