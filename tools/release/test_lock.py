# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of `make lock`: the wheels that it reads from a lock of uv, the versions that it keeps, and the file that it writes."""

from __future__ import annotations

from pathlib import Path

import lock
import pytest
import yaml


def locked(*names: str) -> dict[str, object]:
    files = (
        "a-1.0-py3-none-manylinux_2_31_x86_64.whl",
        "a-1.0-py3-none-win_amd64.whl",
        "a-1.0%2Blocal-py3-none-any.whl",
    )
    wheels = [
        {"url": f"https://index.example/files/{name}", "hash": f"sha256:{name[:5]}", "size": size}
        for name, size in zip(files, (1_300_000, 9_000_000, 4_000), strict=True)
    ]
    packages = [{"name": name, "wheels": wheels} for name in names]
    return {"package": [{"name": "hosts"}, *packages]}


def test_wheels_are_named_by_file_without_the_index() -> None:
    found, megabytes = lock.wheels_of_lock(locked("a"), "a")
    assert megabytes == 1.3
    assert found == {
        "a-1.0+local-py3-none-any.whl": "a-1.0",
        "a-1.0-py3-none-manylinux_2_31_x86_64.whl": "a-1.0",
    }


def test_wheel_with_requirements_is_refused() -> None:
    with pytest.raises(
        SystemExit, match=r"versions\.yml: wheels\.a: requires b\. Add these wheels to the roles first\."
    ):
        lock.wheels_of_lock(locked("a", "b"), "a")


def test_pins_are_kept_without_hashes() -> None:
    text = "# comment\na==1 ; python_full_version < '3.12' \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\nb==2\n"
    assert lock.pins(text) == "a==1 ; python_full_version < '3.12'\nb==2\n"


def test_each_version_of_a_wheel_has_a_size() -> None:
    for described in lock.read_versions()["wheels"].values():
        assert described["megabytes"].keys() == described["versions"].keys()
        assert min(described["megabytes"].values()) > 0


def test_versions_file_is_written_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = lock.VERSIONS.read_text(encoding="utf-8")
    copy = tmp_path / "versions.yml"
    copy.write_text(text, encoding="utf-8")
    monkeypatch.setattr(lock, "VERSIONS", copy)
    lock.write_versions(yaml.safe_load(text))
    assert copy.read_text(encoding="utf-8") == text
