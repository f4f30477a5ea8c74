# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong configurations, chosen by a seed: demos of the gallery and their changes with one or two mistakes, as the text of a demo file."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import yaml
from wrong_mistakes import MISTAKES
from wrong_places import Data

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import merge


@dataclass(frozen=True)
class WrongConfiguration:
    """One mistake.

    Attributes:
        demo: The name of the demo of the gallery.
        mistake: What was changed, for messages.
        text: The text of the demo file.
    """

    demo: str
    mistake: str
    text: str


def wrong_configurations(demo: str, data: Data, seed: int, count: int) -> Iterator[WrongConfiguration]:
    """Yield configurations with mistakes for one demo. The same arguments give the same configurations.

    Args:
        demo: The name of the demo.
        data: The data of the demo.
        seed: The seed.
        count: The number of configurations.
    """
    chosen = random.Random(f"{seed} {demo}")
    made = 0
    while made < count:
        base = copy.deepcopy(data)
        names = [""]
        if base.get("changes") and chosen.random() < 0.2:
            name = chosen.choice(sorted(base["changes"]))
            base = merge(base, base["changes"][name].get("set") or {})
            names = [f"change {name}"]
        base.pop("changes", None)
        for _mistake in range(chosen.choice((1, 1, 1, 1, 2))):
            # After a first mistake, the place of a second one can be of another type.
            with suppress(TypeError, AttributeError, LookupError, ValueError):
                names.append(chosen.choice(MISTAKES)(base, chosen))
        if not any(names[1:]):
            continue
        text = yaml.safe_dump(base, sort_keys=False, width=1000)
        if chosen.random() < 0.06:
            text, mistake = _broken_text(text, chosen)
            names.append(mistake)
        made += 1
        yield WrongConfiguration(demo, ", ".join(filter(None, names)), text)


def _broken_text(text: str, chosen: random.Random) -> tuple[str, str]:
    """Return a text with a mistake in its YAML."""
    lines = text.splitlines()
    number = chosen.randrange(len(lines))
    line = lines[number]
    kind = chosen.choice(("indent", "tab", "colon", "quote", "twice", "anchor", "tag", "bracket", "cut"))
    lines[number] = {
        "indent": f" {line}",
        "tab": f"\t{line}",
        "colon": line.replace(":", "", 1),
        "quote": f'{line} "',
        "twice": f"{line}\n{line}",
        "anchor": f"{line} *nothing",
        "tag": f"{line} !nothing x",
        "bracket": f"{line} [",
        "cut": line[: len(line) // 2],
    }[kind]
    return "\n".join(lines) + "\n", f"YAML: {kind} in line {number + 1}"
