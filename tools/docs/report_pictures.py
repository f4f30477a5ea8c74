# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the pictures of reports in docs/pictures, from the JSON files of runs.

    report_pictures.py front_proxy.json canary.json failing.json

The picture of a result has the name of its file, with the prefix report-. It shows the top of the page at 1,280 px. Needs Chromium.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from checkout import ROOT, stop

PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 1500
MOST_BYTES = 250_000


def main() -> None:
    """Write a picture for each result."""
    sys.path[:0] = [str(ROOT / ".venv" / "collections"), str(ROOT / "tests" / "support")]
    from browser_pages import browser_tab, open_page

    from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.html_report import html_report
    from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_forms import read_result

    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser_tab() as tab:
        for name in sys.argv[1:]:
            path = Path(name)
            page = Path(folder, "report.html")
            result = read_result(path.read_text(encoding="utf-8"), name)
            page.write_text(html_report(result), encoding="utf-8")
            open_page(tab, page, WIDTH)
            height = min(HEIGHT, int(tab.evaluate("() => document.documentElement.scrollHeight")))
            picture = PICTURES / f"report-{path.stem}.png"
            tab.screenshot(
                path=picture, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height}
            )
            if picture.stat().st_size > MOST_BYTES:
                stop(f"{picture.relative_to(ROOT)}: {picture.stat().st_size} bytes, more than {MOST_BYTES}.")


if __name__ == "__main__":
    main()
