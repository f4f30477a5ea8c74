# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest hooks that tests/conftest.py and tools/conftest.py share: the import of the collection, and no skipped test in CI."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = Path("ansible_collections", "meshlab", "envoy")


def collections_folder() -> Path:
    """Return the folder that contains ansible_collections/meshlab/envoy: a parent of the checkout, or the one with the link of make."""
    if ROOT.parts[-len(NAME.parts) :] == NAME.parts:
        return ROOT.parents[len(NAME.parts) - 1]
    folder = ROOT / ".venv" / "collections"
    link = folder / NAME
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        # Another worker of pytest-xdist can create the link at the same time.
        with contextlib.suppress(FileExistsError):
            link.symlink_to(os.path.relpath(ROOT, link.parent))
    return folder


def pytest_configure() -> None:
    """Install Ansible's collection finder, so that tests import `ansible_collections.meshlab.envoy` as Ansible does.

    An entry in sys.path is not enough: the package `ansible` has an ansible_collections folder too, and only Ansible's finder searches
    both folders for a collection.
    """
    from ansible.utils.collection_loader import AnsibleCollectionConfig
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    folder = str(collections_folder())
    # For the programs that tests start, such as ansible-playbook and molecule.
    os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    os.environ.setdefault("ANSIBLE_COLLECTIONS_PATH", folder)
    if AnsibleCollectionConfig.collection_finder is None:
        _AnsibleCollectionFinder(paths=[folder, *sys.path])._install()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a skipped test as failed where CI=true."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, but CI=true allows no skipped test: {reason}"
    return report
