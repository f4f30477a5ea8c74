# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the option tables in the READMEs of roles."""

from __future__ import annotations

from pathlib import Path

import pytest
import role_readmes
from role_readmes import BEGIN, END, plain, readme_of

SPECS = """
argument_specs:
  main:
    short_description: A role
    description: [Runs O(shop_port).]
    options:
      shop_port: {description: [The port. See V(8080).], type: int, choices: [80, 8080]}
      shop_users:
        type: list
        elements: dict
        options: {name: {description: A "|" b., required: true}}
"""


@pytest.mark.parametrize(
    ("markup", "markdown"),
    [
        ("O(a_b) and V(c(d\\)e)", "`a_b` and `c(d\\)e`"),
        ("B(bold), I(italic)", "**bold**, *italic*"),
        ("L(text, https://a.example) U(https://b.example)", "[text](https://a.example) <https://b.example>"),
    ],
)
def test_ansible_markup_becomes_markdown(markup: str, markdown: str) -> None:
    assert plain(markup) == markdown


@pytest.fixture
def role(tmp_path: Path) -> Path:
    (tmp_path / "meta").mkdir()
    (tmp_path / "defaults").mkdir()
    (tmp_path / "meta/argument_specs.yml").write_text(SPECS)
    (tmp_path / "defaults/main.yml").write_text("shop_port: 8080\n")
    return tmp_path


def test_readme_has_a_row_for_each_option_and_suboption(role: Path) -> None:
    (role / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    text = readme_of(role)
    assert text is not None
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| `shop_port` | int | `8080` | The port. See `8080`. One of `80`, `8080`. |" in text
    assert '| `shop_users[].name` | str | required | A "\\|" b. |' in text
    assert "old" not in text


def test_role_without_readme_gets_one(role: Path) -> None:
    text = readme_of(role)
    assert text is not None
    assert text.startswith(f"# {role.name}\n\nRuns `shop_port`.\n\n## Options\n")


def test_readme_without_markers_is_an_error(role: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role_readmes, "ROOT", role)
    (role / "README.md").write_text("no markers\n")
    with pytest.raises(SystemExit, match=r"README\.md: needs these two lines once"):
        readme_of(role)


def test_role_without_argument_specs_has_no_table(tmp_path: Path) -> None:
    assert readme_of(tmp_path) is None
