# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the check for broken links."""

from __future__ import annotations

from pathlib import Path

from site_links import broken_links


def test_missing_files_and_anchors_are_reported(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="pages/a.html#one"></a><a href="pages/a.html#two"></a><img src="gone.png"><a href="https://example.com/x"></a>'
    )
    (tmp_path / "pages" / "a.html").write_text(
        '<h1 id="one"></h1><a href="../index.html"></a><a href="#"></a>'
    )
    assert broken_links(tmp_path) == [
        "index.html: gone.png: the file does not exist.",
        "index.html: pages/a.html#two: the anchor does not exist.",
    ]
