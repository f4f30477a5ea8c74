# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transactions of the configuration package, for its tests."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Check,
    DesiredFiles,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import Transaction


def text_file(path: str, content: str = "x\n", mode: int = 0o644) -> File:
    """Return a desired file with a text."""
    return File(path, content.encode(), mode)


def python_check(
    script: str, *files: File, name: str = "edge", validated_files: tuple[str, ...] = ("edge/a",)
) -> Check:
    """Return a check that runs a Python script instead of an Envoy."""
    return Check(name, (sys.executable, "-c", script), files=files, validated_files=validated_files)


def deploy(folder: Path, desired: DesiredFiles) -> Transaction:
    """Run all phases of a transaction."""
    with prepare(folder, desired) as transaction:
        if transaction.changed:
            transaction.write()
            transaction.go_live()
            transaction.finish()
        return transaction
