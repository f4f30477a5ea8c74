# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write reports below a folder of the user: atomically, for the user only, the newest runs of each demo."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import user_folder
from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
from ansible_collections.meshlab.envoy.plugins.module_utils._report.markdown_report import markdown_report
from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_forms import FORMS, GITHUB
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import RunResult

KEPT_RUNS = 20
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
# 2026-11-30T11-20-05.123Z-local.html
_SUFFIXES = "|".join(re.escape(one.suffix) for one in FORMS.values())
_RUN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z-[a-z0-9_-]+)\.(?:" + _SUFFIXES + ")")
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]+")


def default_folder() -> Path:
    """Return the folder of reports: below XDG_STATE_HOME, or below ~/.local/state."""
    return user_folder("XDG_STATE_HOME", ".local/state") / "meshlab.envoy" / "reports"


def write_reports(result: RunResult, forms: Iterable[str], folder: Path) -> list[Path]:
    """Write a result as JSON and in further forms, and remove the files of older runs.

    Args:
        result: The result of a run.
        forms: Names of forms. `github` appends Markdown to the file that the variable GITHUB_STEP_SUMMARY names, if it is set.
        folder: The folder of reports. The files are in a folder of the demo in it.

    Returns:
        The paths of the chosen forms. The JSON file is written in any case.

    Raises:
        OSError: A file cannot be written.
    """
    chosen = list(dict.fromkeys(forms))
    own = _own_folder(folder, result["demo"])
    name = run_name(result)
    paths = {
        form: own / f"{name}.{FORMS[form].suffix}"
        for form in dict.fromkeys(["json", *chosen])
        if form in FORMS
    }
    for form, path in paths.items():
        _write(path, FORMS[form].text(result))
    _remove_older(own)
    summary = os.environ.get(SUMMARY_VARIABLE)
    if GITHUB in chosen and summary:
        with open(summary, "a", encoding="utf-8") as file:
            file.write(markdown_report(result))
    return [paths[form] for form in chosen if form in paths]


def last_result(folder: Path, demo: str, platform: str = "") -> Path | None:
    """Return the JSON file of the last run of a demo, on a platform if one is stated; None if there is none."""
    found = [path for path in _runs(folder / _safe(demo)) if path.suffix == ".json"]
    wanted = [path for path in found if not platform or f"Z-{platform}" in path.name]
    return max(wanted, default=None, key=lambda path: path.name)


def run_name(result: RunResult) -> str:
    """Return the start of the names of the files of a run: its time, and where and what it ran."""
    whole, milliseconds = divmod(round(result["began"] * 1000), 1000)
    moment = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(whole))
    parts = [result["platform"], *([result["change"]] if result["change"] else [])]
    return f"{moment}.{milliseconds:03d}Z-{'-'.join(map(_safe, parts)).lower()}"


def shown_path(path: Path) -> str:
    """Return a path as a URL that terminals open."""
    return printable(path.absolute().as_uri())


def _own_folder(folder: Path, demo: str) -> Path:
    own = folder / _safe(demo)
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    for one in (folder, own):
        if one.is_symlink() or one.stat().st_uid != os.getuid():
            raise PermissionError(
                1, "not a directory of this user. Choose another folder of reports", str(one)
            )
    own.chmod(0o700)
    return own


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _runs(folder: Path) -> Sequence[Path]:
    """Return the reports in the folder of a demo, and no other files."""
    try:
        return [path for path in folder.iterdir() if _RUN.fullmatch(path.name)]
    except FileNotFoundError:
        return []


def _remove_older(folder: Path) -> None:
    paths = _runs(folder)
    names = {path: found[1] for path in paths if (found := _RUN.fullmatch(path.name))}
    kept = set(sorted(set(names.values()))[-KEPT_RUNS:])
    for path, name in names.items():
        if name not in kept:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _safe(text: str) -> str:
    return _UNSAFE.sub("-", text).strip("-") or "demo"
