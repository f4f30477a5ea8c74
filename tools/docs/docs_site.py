# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the documentation as a site in build/docs: the pages of docs/, those of the gallery's demos (gallery_pages.py), and what
antsibull-docs makes of modules, filters and roles.

A warning is a mistake. Nothing is fetched. The site that was there before is replaced once the new one is whole.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from checkout import BUILD, ROOT, alone
from docs_lint import antsibull_docs

FOLDER = BUILD / "docs-site"
SITE = BUILD / "docs"


def write_gallery(folder: Path) -> None:
    """Write the pages of the demos to a folder."""
    # The checkout under the collection's name, as make links it; and the program that knows which demos do not run where.
    sys.path[:0] = [str(ROOT / ".venv" / "collections"), str(ROOT / "tools" / "gallery")]
    import gallery_pages
    from play_demos import unsupported_on

    demos = gallery_pages.gallery(ROOT / "playbooks" / "demos", BUILD / "gallery", unsupported_on)
    gallery_pages.write(folder, demos)


def main() -> int:
    source, made = FOLDER / "source", FOLDER / "made"
    for folder in (source, made):
        shutil.rmtree(folder, ignore_errors=True)
    docs = ROOT / "docs"
    shutil.copytree(docs, source, ignore=shutil.ignore_patterns("site", "__pycache__"))
    shutil.copytree(
        docs / "site", source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "runs")
    )
    write_gallery(source / "gallery")
    reference = source / "collection"
    reference.mkdir(mode=0o755)
    options = ("--use-current", "--squash-hierarchy", "--fail-on-error", "--no-add-antsibull-docs-version")
    failed = antsibull_docs(FOLDER, "collection", *options, "--dest-dir", str(reference), "meshlab.envoy")
    if failed:
        return failed
    sphinx = [sys.executable, "-m", "sphinx", "--quiet", "--builder", "html", "--fail-on-warning"]
    # What Sphinx remembers stays out of the site.
    remembered = ["--doctree-dir", str(FOLDER / "doctrees"), "--fresh-env"]
    failed = subprocess.run([*sphinx, *remembered, str(source), str(made)], check=False).returncode
    if failed:
        return failed
    shutil.rmtree(SITE, ignore_errors=True)
    made.rename(SITE)
    print(f"written to {SITE.relative_to(ROOT)}: open {SITE.relative_to(ROOT)}/index.html")
    return 0


if __name__ == "__main__":
    with alone(FOLDER):
        sys.exit(main())
