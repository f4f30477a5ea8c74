# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elements of HTML: every text is escaped, unless it is an element itself."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Union

Child = Union[str, int, None, "Html", Iterable["Html"]]


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: Child, **attributes: str | int | bool | None) -> Html:
    """Return an element.

    Args:
        name: Name of the element.
        children: Texts, which are escaped, and elements. None is left out.
        attributes: Attributes. A trailing underscore is removed and `_` becomes `-`. True is an attribute without value, None and
            False leave it out.

    Example:
        >>> element("p", "a<b", element("b", "c"), class_="x")
        '<p class="x">a&lt;b<b>c</b></p>'
    """
    shown = []
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            shown.append(f" {attribute}")
        elif value is not None and value is not False:
            shown.append(f' {attribute}="{escape(str(value))}"')
    content = "".join(_text(child) for child in children)
    return Html(f"<{name}{''.join(shown)}>{content}</{name}>")


def joined(parts: Iterable[Html], separator: str = "") -> Html:
    """Return elements one after the other."""
    return Html(separator.join(parts))


def table(caption: str, header: Iterable[str], rows: Iterable[Iterable[Child]]) -> Html:
    """Return a table in a region that scrolls where the window is narrow. The first cell of a row is its heading."""
    head = element("tr", *(element("th", one, scope="col") for one in header))
    body = [
        element(
            "tr",
            *(element("td", one) if at else element("th", one, scope="row") for at, one in enumerate(row)),
        )
        for row in rows
    ]
    content = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", content, class_="scrolls", tabindex=0, role="region", aria_label=caption)


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return str(child)
    if isinstance(child, (str, int)):
        return escape(str(child))
    return "".join(child)
