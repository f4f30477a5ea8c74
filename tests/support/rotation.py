# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` runs in a week, of tests that repeat the same for many demos, platforms or versions. `make soak` runs all of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import date

import pytest
from _pytest.mark import ParameterSet

# Number of the week, counted without a break at the end of a year. MESHLAB_WEEK repeats the run of another week.
WEEK = int(os.environ.get("MESHLAB_WEEK") or date.today().toordinal() // 7)


def platforms_of_week(supported: Mapping[str, Sequence[str]], week: int = WEEK) -> dict[str, str]:
    """Return the platform on which each demo runs in a week. In the next week, a demo runs on the next platform that it supports.

    Example:
        >>> supported = {"cors": ["local", "docker"], "gzip": ["local", "docker"], "udp": ["local"]}
        >>> [platforms_of_week(supported, week) for week in (0, 1)]
        [{'cors': 'local', 'gzip': 'docker', 'udp': 'local'}, {'cors': 'docker', 'gzip': 'local', 'udp': 'local'}]
    """
    return {
        name: platforms[(position + week) % len(platforms)]
        for position, (name, platforms) in enumerate(supported.items())
    }


def names_of_week(names: Sequence[str], weeks: int, week: int = WEEK) -> Collection[str]:
    """Return the names that have their turn in a week: each of them in one of `weeks` consecutive weeks.

    Example:
        >>> sorted(names_of_week(["cors", "gzip", "udp"], 2, week=0)), sorted(names_of_week(["cors", "gzip", "udp"], 2, week=1))
        (['cors', 'udp'], ['gzip'])
    """
    return {name for position, name in enumerate(names) if (position + week) % weeks == 0}


def cases_of_week(values: Sequence[str], weeks: int, week: int = WEEK) -> list[ParameterSet]:
    """Return all values as parameters of a test. Those that do not have their turn in the week have the marker `slow`."""
    turn = names_of_week(values, weeks, week)
    return [
        pytest.param(value, id=value, marks=() if value in turn else pytest.mark.slow) for value in values
    ]
