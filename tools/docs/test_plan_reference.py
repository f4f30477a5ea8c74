# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the page about the plan."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import plan_reference
import pytest


class Wheel(TypedDict):
    """A wheel.

    Attributes:
        size: Diameter, which
            can be long.
    """

    size: float | None


class Car(TypedDict):
    """A car.

    Attributes:
        wheels: Its wheels.
        doors: Number of doors, by side.
    """

    wheels: list[Wheel]
    doors: dict[str, int]


class Boat(TypedDict):
    """A boat."""

    length: int


@pytest.mark.parametrize(
    "page", [plan_reference.PAGE, plan_reference.RESULT_PAGE], ids=lambda page: page.name
)
def test_page_is_current(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == plan_reference.pages()[page]


def test_reference_describes_each_referenced_type() -> None:
    text = plan_reference.reference(Car)
    assert "| `wheels` | list of [Wheel](#wheel) | Its wheels. |" in text
    assert "| `doors` | mapping of whole number | Number of doors, by side. |" in text
    assert "| `size` | number or null | Diameter, which can be long. |" in text


def test_undescribed_key_is_refused() -> None:
    with pytest.raises(SystemExit, match="Boat: its docstring must describe exactly the keys length"):
        plan_reference.section(Boat)
