# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of docs/use-your-own-certificates.md."""

from __future__ import annotations

import re

from live import ROOT

PAGE = ROOT / "docs" / "use-your-own-certificates.md"


def block(option: str) -> str:
    """Return the text of the example with this option, such as `file=~/certificates/shop.yml`; the first example of `sh`."""
    found = re.findall(
        r"^```([^\n]+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return next(str(text) for info, text in found if option in info.split())
