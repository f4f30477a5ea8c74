# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of a live view for a terminal: the same numbers as the page. No I/O."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import rate_text
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_demo import (
    LiveDemo,
    problems,
    verdict,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_page import (
    CONNECTIONS_HEADER,
    ENVOYS_HEADER,
    connection_rows,
    envoy_rows,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_state import LiveState

REDRAW = "\x1b[H\x1b[J"  # to the first line, and clear what follows (ECMA-48: CUP, ED)
MOST_PROBLEMS = 5
LONGEST_CELL = 44
TEXTS = ("From", "To", "Envoy", "State", "Version")  # columns that are not numbers


def live_table(demo: LiveDemo, state: LiveState) -> list[str]:
    """Return the lines of one round."""
    ok, text = verdict(state)
    when = time.strftime("%H:%M:%S UTC", time.gmtime(state["time"]))
    change = f", change {demo.change}" if demo.change else ""
    rates = f"{rate_text(state['rate'])} requests, {rate_text(state['failed_rate'])} failed"
    lines = [
        f"{demo.name} on {demo.platform}{change}: {'●' if ok else '✘'} {text}, {rates}, read at {when}",
        "",
        *_columns(CONNECTIONS_HEADER, connection_rows(state)),
        "",
        *_columns(ENVOYS_HEADER, envoy_rows(state)),
    ]
    found = problems(state)
    if found:
        lines += ["", *(f"✘ {one}" for one in found[:MOST_PROBLEMS])]
    if len(found) > MOST_PROBLEMS:
        lines.append(f"✘ {len(found) - MOST_PROBLEMS} more")
    return lines


def _columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table as lines: texts at the left of their column, numbers at the right."""
    cells = [header, *([_short(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return [
        "  ".join(
            cell.ljust(widths[at]) if header[at] in TEXTS else cell.rjust(widths[at])
            for at, cell in enumerate(row)
        ).rstrip()
        for row in cells
    ]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
