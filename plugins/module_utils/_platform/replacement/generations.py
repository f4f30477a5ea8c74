# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The generations of a workload: `edge` is generation 0 of workload `edge`, `edge.2` its generation 2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Replacement, Workload


def workload_name(program: str) -> str:
    """Return the workload of a program.

    Example:
        >>> [workload_name(program) for program in ("edge", "edge.2", "web-1.10")]
        ['edge', 'edge', 'web-1']
    """
    return _split(program)[0]


def generation_of(program: str) -> int:
    """Return the generation of a program, 0 for `edge`."""
    return _split(program)[1]


def generations(programs: Iterable[str]) -> dict[str, list[str]]:
    """Return the programs of each workload, the oldest first.

    Example:
        >>> generations(["edge.10", "web", "edge.2"])
        {'edge': ['edge.2', 'edge.10'], 'web': ['web']}
    """
    found: dict[str, list[str]] = {}
    for program in sorted(programs, key=_split):
        found.setdefault(workload_name(program), []).append(program)
    return found


def newest_first(programs: Iterable[str]) -> list[list[str]]:
    """Return programs in the order in which they are stopped: an Envoy before the one whose sockets it has taken over.

    Example:
        >>> newest_first(["edge", "edge.1", "web"])
        [['edge.1', 'web'], ['edge']]
    """
    found: list[list[str]] = []
    for names in generations(programs).values():
        for position, program in enumerate(reversed(names)):
            found += [[] for _missing in range(position + 1 - len(found))]
            found[position].append(program)
    return found


def waves(
    starting: Sequence[Workload], replaced: Mapping[str, Replacement], ranks: Mapping[str, int]
) -> list[list[Workload]]:
    """Return the workloads to start, in waves: each wave starts when the previous one is ready.

    The replicas of a group are replaced one after another. A workload that replaces none is in the first wave.

    Args:
        starting: The workloads to start.
        replaced: How each workload that has a previous generation is replaced.
        ranks: The position of each workload in the order of `after`.
    """
    found: list[list[Workload]] = []
    positions: dict[str, int] = {}
    for workload in sorted(starting, key=lambda one: (ranks.get(one.name, 0), _natural(one.name))):
        position = 0
        if workload.name in replaced:
            # A sidecar and its application have one group, and are replaced together.
            kind = f"{workload.group or workload.name} {workload.sidecar}"
            position = positions.get(kind, 0)
            positions[kind] = position + 1
        found += [[] for _wave in range(position + 1 - len(found))]
        found[position].append(workload)
    return found


def _split(program: str) -> tuple[str, int]:
    name, _dot, number = program.rpartition(".")
    return (name, int(number)) if name and number.isdigit() else (program, 0)


def _natural(name: str) -> tuple[str, int]:
    """Return a key that sorts `web-2` before `web-10`."""
    head, _dash, number = name.rpartition("-")
    return (head, int(number)) if number.isdigit() else (name, 0)
