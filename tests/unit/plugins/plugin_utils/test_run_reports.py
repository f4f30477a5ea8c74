# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of reports, which an action writes on the controller."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.plugin_utils import _run_reports


def test_report_on_a_full_disk_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_reports(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/reports/shop")

    warnings: list[str] = []
    action: Any = SimpleNamespace(
        _task=SimpleNamespace(args={"reports_folder": "/reports"}),
        _display=SimpleNamespace(warning=warnings.append),
    )
    result: Any = {}
    monkeypatch.setattr(_run_reports, "write_reports", write_reports)
    assert _run_reports.write_run(action, result) == []
    (warning,) = warnings
    assert warning == (
        "/reports/shop: the report was not written: no space left on device."
        " Correct that, or set demo_reports_folder to another folder."
    )
