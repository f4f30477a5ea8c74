# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry on localhost that replaces Docker Hub, and the build of its images."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from . import debian
from .base import CACHE, IMAGES_FOLDER, STATE, LabError, log, run, write_whole
from .catalogue import IMAGES, Image
from .processes import Process

PORT = int(os.environ.get("MESHLAB_LAB_REGISTRY_PORT") or 5000)
ADDRESS = f"localhost:{PORT}"
_CONTENT = CACHE / "registry"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
process = Process("docker-registry")


def up() -> None:
    """Start the registry."""
    debian.require("docker-registry")
    if process.pid:
        return
    if _get("/v2/") is not None:
        raise LabError(f"Another program listens on {ADDRESS}. Set MESHLAB_LAB_REGISTRY_PORT to a free port.")
    config = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(_CONTENT)}},
        "http": {"addr": f"127.0.0.1:{PORT}"},
    }
    _CONTENT.mkdir(parents=True, exist_ok=True)
    write_whole(STATE / "registry.json", json.dumps(config, indent=2))  # JSON is valid YAML
    process.start(["docker-registry", "serve", STATE / "registry.json"], ready=lambda: _get("/v2/") == 200)


def fill(docker: list, environment: dict, images: tuple = IMAGES) -> None:
    """Build and push the images that are missing or out of date."""
    missing = [image for image in images if not _holds(image)]
    if not missing:
        return
    shared = CACHE / ("build" if images is IMAGES else "build-mesh")
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir(parents=True)
    try:
        for image in missing:
            log(f"building {image.name}")
            _build(image, shared, docker, environment)
    finally:
        shutil.rmtree(shared, ignore_errors=True)
        run([*docker, "image", "prune", "--force"], env=environment, check=False)


def is_full() -> bool:
    """Return whether the registry has all images of the catalogue."""
    return len(held()) == len(IMAGES)


def held() -> list:
    """Return the names of the up-to-date images."""
    return [image.name for image in IMAGES if _holds(image)]


def _build(image: Image, shared: Path, docker: list, environment: dict) -> None:
    rootfs = shared / hashlib.sha256(repr(image.packages).encode()).hexdigest()
    if image.packages and not rootfs.exists():
        # mmdebstrap derives the format from the suffix.
        debian.root_file_system(image.packages, rootfs.with_suffix(".tar"))
        rootfs.with_suffix(".tar").replace(rootfs)
    with tempfile.TemporaryDirectory(dir=shared) as context:
        shutil.copytree(IMAGES_FOLDER / image.folder, context, dirs_exist_ok=True)
        if image.packages:
            os.link(rootfs, Path(context) / "rootfs.tar")
        for name, source in image.files.items():
            source.fetch(Path(context) / name)
        tag = f"{ADDRESS}/{_repository(image)}"
        # The classic builder, because BuildKit needs a plugin that Debian 12 lacks.
        run([*docker, "build", "--quiet", "--tag", tag, context], env={**environment, "DOCKER_BUILDKIT": "0"})
    run([*docker, "push", "--quiet", tag], env=environment)
    run([*docker, "image", "rm", "--no-prune", tag], env=environment)
    write_whole(_key_file(image), _key(image))


def _holds(image: Image) -> bool:
    try:
        if _key_file(image).read_text(encoding="utf-8") != _key(image):
            return False
    except OSError:
        return False
    repository, tag = _repository(image).rsplit(":", 1)
    return _get(f"/v2/{repository}/manifests/{tag}") == 200


def _repository(image: Image) -> str:
    """Return the path of an image on Docker Hub: `library/python` for `python`."""
    return image.name if "/" in image.name else f"library/{image.name}"


def _key_file(image: Image) -> Path:
    return _CONTENT / "keys" / image.name.replace("/", "_")


def _key(image: Image) -> str:
    """Return a digest of everything that the image contains."""
    digest = hashlib.sha256(repr(image).encode())
    folder = IMAGES_FOLDER / image.folder
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(
                f"{path.relative_to(folder)} {path.stat().st_mode & 0o111}\n".encode() + path.read_bytes()
            )
    return digest.hexdigest()


def _get(path: str) -> int | None:
    """Return the status of the registry's response; None without a response."""
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers={"Accept": _MANIFEST})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
