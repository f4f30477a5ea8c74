# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: the collection under its full name, and the rule that CI skips nothing."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAME = Path("ansible_collections", "meshlab", "envoy")


def collections_folder() -> Path:
    """The folder below which this checkout is ansible_collections/meshlab/envoy: a real one, or that of the link that make sets."""
    if ROOT.parts[-len(NAME.parts) :] == NAME.parts:
        return ROOT.parents[len(NAME.parts) - 1]
    folder = ROOT / ".venv" / "collections"
    link = folder / NAME
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        # Another worker of pytest-xdist may be quicker.
        with contextlib.suppress(FileExistsError):
            link.symlink_to(os.path.relpath(ROOT, link.parent))
    return folder


def pytest_configure() -> None:
    """Make `import ansible_collections.meshlab.envoy…` work, by Ansible's own import machinery.

    Plain sys.path is not enough: the `ansible` package has an ansible_collections of its own, and only Ansible's finder
    looks for a collection in all of them. What a plugin imports in a test is so found exactly as when Ansible runs it.
    """
    from ansible.utils.collection_loader import AnsibleCollectionConfig
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    folder = str(collections_folder())
    # Programs that tests start (ansible-playbook, molecule) find it the same way, in whichever folder they run.
    os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    os.environ.setdefault("ANSIBLE_COLLECTIONS_PATH", folder)
    if AnsibleCollectionConfig.collection_finder is None:
        _AnsibleCollectionFinder(paths=[folder, *sys.path])._install()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI=true a test that is skipped has failed: what cannot run there is not proven."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI=true allows no skips: {reason}"
    return report
