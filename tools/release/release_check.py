# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do all steps of a release on a copy of the checkout whose version is 1.0.0, and check the results. The checkout does not change.

Changelog with a summary, tarball, galaxy-importer, licences (REUSE), execution environment, workflows and bills of materials.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import sbom
import yaml
from checkout import BUILD, ROOT, exclusive, export, output_of, stop

FOLDER = BUILD / "release"
VERSION = "1.0.0"
TEST_BIN = Path(sys.executable).parent
RELEASE_BIN = ROOT / ".venv-release" / "bin"
WORKFLOWS = ROOT / ".github" / "workflows"
# ansible-builder reports the origin of each requirement in a comment.
ORIGIN = re.compile(r"\s*# from collection meshlab\.envoy$")
IMAGE = {
    "version": 3,
    "images": {"base_image": {"name": "quay.io/fedora/fedora:latest"}},
    "dependencies": {
        "ansible_core": {"package_pip": "ansible-core"},
        "ansible_runner": {"package_pip": "ansible-runner"},
        "galaxy": {
            "collections": [{"name": "meshlab.envoy", "type": "file", "source": "meshlab-envoy.tar.gz"}]
        },
    },
}


def run(*command: str | Path, cwd: Path = FOLDER, variables: dict[str, str] | None = None) -> str:
    """Run a program with the programs of its folder in PATH, and return its output; end with its output if it fails."""
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    return output_of(command, cwd, {"PATH": path, "HOME": str(FOLDER / "home"), **(variables or {})})


def copy_with_version() -> Path:
    """Return a copy of the checkout whose galaxy.yml has the version of the release."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    collection = export(FOLDER)
    metadata = collection / "galaxy.yml"
    text, changed = re.subn(r"(?m)^version: .*$", f"version: {VERSION}", metadata.read_text(encoding="utf-8"))
    if changed != 1:
        stop("galaxy.yml: expected one line `version: …`.")
    metadata.write_text(text, encoding="utf-8")
    (FOLDER / "home").mkdir()
    return collection


def check_changelog(collection: Path) -> None:
    """Release the changelog, and check that CHANGELOG.md has a summary and each fragment."""
    fragments = sorted((collection / "changelogs" / "fragments").glob("*.yml"))
    run(TEST_BIN / "antsibull-changelog", "release", "--version", VERSION, cwd=collection)
    text = (collection / "CHANGELOG.md").read_text(encoding="utf-8")
    if problems := changelog_problems(text, [path for path in fragments if path.exists()]):
        stop("CHANGELOG.md of the release:\n  " + "\n  ".join(problems))


def changelog_problems(text: str, kept: list[Path]) -> list[str]:
    """Return the problems of a released CHANGELOG.md."""
    problems = []
    # antsibull-changelog escapes punctuation.
    text = text.replace("\\", "")
    if f"## v{VERSION}" not in text:
        problems.append(f"has no section v{VERSION}. Run antsibull-changelog release.")
    summary = text.partition("### Release Summary")[2].partition("\n#")[0].strip()
    if not summary:
        problems.append(
            "has no summary for users. Add a fragment with release_summary to changelogs/fragments."
        )
    problems += [
        f"does not contain the fragment {path.name}. Remove the fragment or release again." for path in kept
    ]
    return problems


def build(collection: Path) -> Path:
    """Build the tarball of the copy, and return its path."""
    run(TEST_BIN / "ansible-galaxy", "collection", "build", collection, "--output-path", FOLDER)
    return FOLDER / f"meshlab-envoy-{VERSION}.tar.gz"


def check_import(tarball: Path) -> None:
    """Import the tarball as Galaxy does, and end with each warning and error of the import.

    `make lint-ansible` runs ansible-lint, and `make sanity` ansible-test, with newer versions than the importer has.
    """
    settings = {
        "GALAXY_IMPORTER_REQUIRE_V1_OR_GREATER": "true",
        "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
        "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false",
    }
    printed = run(RELEASE_BIN / "python", "-m", "galaxy_importer.main", tarball, variables=settings)
    if found := import_problems(printed):
        stop("galaxy-importer:\n  " + "\n  ".join(found))
    result = json.loads((FOLDER / "importer_result.json").read_text(encoding="utf-8"))
    if result["metadata"]["version"] != VERSION or not result["requires_ansible"]:
        stop(f"galaxy-importer: expected version {VERSION} and requires_ansible, got {result['metadata']}")


def import_problems(printed: str) -> list[str]:
    """Return the warnings and errors in the output of galaxy-importer."""
    lines = [line.strip() for line in printed.splitlines()]
    problems = [line for line in lines if line.startswith(("ERROR", "WARNING", "CRITICAL"))]
    if not any("completed successfully" in line for line in lines):
        problems.append("the import did not complete")
    return problems


def check_licences(collection: Path) -> None:
    """Check that each file has a licence, as REUSE defines it."""
    run(RELEASE_BIN / "reuse", "--root", collection, "lint", "--quiet")


def check_execution_environment(collection: Path, tarball: Path) -> None:
    """Check that ansible-builder finds the requirements of the collection, and writes the files of an image with it."""
    found = yaml.safe_load(run(RELEASE_BIN / "ansible-builder", "introspect", collection.parents[2]))
    for kind, file in (("python", "ee-requirements.txt"), ("system", "ee-bindep.txt")):
        lines = (collection / "meta" / file).read_text(encoding="utf-8").splitlines()
        expected = sorted(line for line in lines if line and not line.startswith("#"))
        listed = sorted(ORIGIN.sub("", line) for line in found.get(kind, []))
        if listed != expected:
            stop(f"meta/{file}: ansible-builder introspect lists {listed}, expected {expected}.")
    shutil.copy2(tarball, FOLDER / "meshlab-envoy.tar.gz")
    (FOLDER / "execution-environment.yml").write_text(yaml.safe_dump(IMAGE), encoding="utf-8")
    context = FOLDER / "context"
    run(
        RELEASE_BIN / "ansible-builder",
        "create",
        "--file",
        FOLDER / "execution-environment.yml",
        "--context",
        context,
    )
    if "meshlab.envoy" not in (context / "_build" / "requirements.yml").read_text(encoding="utf-8"):
        stop(f"{context}: the files of the image do not install meshlab.envoy.")


def check_workflows() -> None:
    """Check the workflows against the schema of GitHub."""
    run(
        RELEASE_BIN / "check-jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        *sorted(WORKFLOWS.glob("*.yml")),
    )


def check_bills_of_materials() -> None:
    """Write a bill of materials for each platform, and validate it against the schema of CycloneDX."""
    written = sbom.write_all(FOLDER / "sbom")
    run(RELEASE_BIN / "python", ROOT / "tools" / "release" / "validate_sbom.py", *written)


def main() -> None:
    """Do and check all steps."""
    collection = copy_with_version()
    check_licences(collection)
    check_workflows()
    check_bills_of_materials()
    check_changelog(collection)
    tarball = build(collection)
    check_execution_environment(collection, tarball)
    check_import(tarball)


if __name__ == "__main__":
    with exclusive(BUILD / "locks" / "release"):
        main()
