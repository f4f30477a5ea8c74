# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of an author's file with other addresses and other paths. Everything else in the file stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import (
    FileUse,
    HostUse,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import Span
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address


@dataclass(frozen=True)
class Edit:
    """The replacement of one part of a text."""

    start: int
    end: int
    text: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return a text after all edits, which do not overlap. Equal edits, as of an alias, are made once."""
    for edit in sorted(set(edits), key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def host_edits(text: str, use: HostUse, addresses: Sequence[Address]) -> list[Edit]:
    """Return the edits that put addresses in the place of a host.

    An entry of `lb_endpoints` is repeated for each further address, as name resolution returns all replicas of a service.

    Example:
        >>> use = HostUse("envoy.yaml", "web", 80, Span(1, 4, 1), Span(6, 8, 1))
        >>> edited("[web, 80]", host_edits("[web, 80]", use, [("127.0.0.1", 20001)]))
        '[127.0.0.1, 20001]'
    """
    first, *others = addresses[:1] if use.only_one or use.item is None else addresses
    edits = _replaced(use, first)
    if others and use.item is not None:
        item = text[use.item.start : use.item.end].rstrip()
        dash = ", " if use.indent is None else f"\n{' ' * use.indent}- "
        copies = [
            edited(item, [_moved(one, use.item.start) for one in _replaced(use, address)])
            for address in others
        ]
        end = use.item.start + len(item)
        edits.append(Edit(end, end, "".join(f"{dash}{one}" for one in copies)))
    return edits


def path_edit(use: FileUse, path: str) -> Edit:
    """Return the edit that puts another path in the place of the path of a file."""
    return Edit(use.position.start, use.position.end, path)


def _replaced(use: HostUse, address: Address) -> list[Edit]:
    host, port = address
    if use.port_span is None:
        return [_edit(use.host_span, f"{host}:{port}")]
    return [_edit(use.host_span, f'"{host}"' if ":" in host else host), _edit(use.port_span, str(port))]


def _edit(position: Span, text: str) -> Edit:
    return Edit(position.start, position.end, text)


def _moved(edit: Edit, start: int) -> Edit:
    return Edit(edit.start - start, edit.end - start, edit.text)
