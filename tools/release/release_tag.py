# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that the tag of a release, the version in galaxy.yml and the newest section of CHANGELOG.md are the same version."""

from __future__ import annotations

import re
import sys

import yaml
from checkout import ROOT, stop


def problems(tag: str, version: str, changelog: str) -> list[str]:
    """Return what differs between the tag, the version and the changelog of a release."""
    found = []
    if tag != f"v{version}":
        found.append(
            f"TAG: expected v{version}, the version in galaxy.yml, got '{tag}'. Tag the commit of the release."
        )
    # antsibull-changelog escapes punctuation.
    newest = re.search(r"(?m)^## v(\S+)$", changelog.replace("\\", ""))
    if newest is None or newest[1] != version:
        got = f"v{newest[1]}" if newest else "no section"
        found.append(
            f"CHANGELOG.md: expected v{version} first, got {got}. Run antsibull-changelog release, and commit the result."
        )
    return found


def main() -> None:
    """End with an error if the release is not complete."""
    metadata = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    changelog = ROOT / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8") if changelog.exists() else ""
    if found := problems(sys.argv[1], str(metadata["version"]), text):
        stop("\n  ".join(["the release is not complete:", *found]))


if __name__ == "__main__":
    main()
