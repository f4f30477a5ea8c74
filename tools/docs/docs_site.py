# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation as a site in build/docs.

The site has the pages of docs/, a page for each demo of the gallery (gallery_pages.py), and the reference of modules, filters and roles,
which antsibull-docs generates. A warning is an error. The program downloads nothing. It replaces the previous site after the new site is
complete.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from checkout import BUILD, ROOT, exclusive
from docs_lint import antsibull_docs
from page_accessibility import accessible

FOLDER = BUILD / "docs-site"
SITE = BUILD / "docs"


def write_gallery(folder: Path) -> None:
    """Write the pages of the demos to a folder."""
    # The link of make, under which the checkout is importable as a collection, and the folder of play_demos.py.
    sys.path[:0] = [str(ROOT / ".venv" / "collections"), str(ROOT / "tools" / "gallery")]
    import gallery_pages
    from demo_runs import unsupported_on

    demos = gallery_pages.gallery(ROOT / "playbooks" / "demos", BUILD / "gallery", unsupported_on)
    if themeless := gallery_pages.themeless(demos):
        raise SystemExit(
            f"playbooks/demos: theme: {', '.join(themeless)}: expected one of {', '.join(gallery_pages.THEMES)}."
        )
    gallery_pages.write(folder, demos)
    first = next(demo for demo in demos if demo.name == gallery_pages.FIRST)
    (folder / "front_page.html").write_text(gallery_pages.front_page(first), encoding="utf-8")


def main() -> int:
    """Build the site, and return the exit status of the first program that failed, or 0."""
    source, built = FOLDER / "source", FOLDER / "built"
    for folder in (source, built):
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
    # The site does not contain the caches of Sphinx.
    caches = ["--doctree-dir", str(FOLDER / "doctrees"), "--fresh-env"]
    failed = subprocess.run([*sphinx, *caches, str(source), str(built)], check=False).returncode
    if failed:
        return failed
    for page in built.rglob("*.html"):
        page.write_text(accessible(page.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.rmtree(SITE, ignore_errors=True)
    built.rename(SITE)
    print(f"written to {SITE.relative_to(ROOT)}: open {SITE.relative_to(ROOT)}/index.html")
    return 0


if __name__ == "__main__":
    with exclusive(FOLDER):
        sys.exit(main())
