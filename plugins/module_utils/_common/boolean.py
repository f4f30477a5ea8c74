# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""True or false as text, in YAML's words: a template may hand a truth over so, and in ansible-core 2.18 always does."""

from __future__ import annotations

WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def truth(text: str) -> bool | None:
    """Return what `text` says, in whatever case; None where it says neither."""
    return WORDS.get(text.lower())
