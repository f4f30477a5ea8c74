# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's configuration for `make docs`. The build downloads nothing: the URL of a page of Ansible follows from its name."""

from __future__ import annotations

import re
from typing import Any

project = "meshlab.envoy"
author = "meshlab.envoy contributors"
project_copyright = author

extensions = ["myst_parser", "sphinx_antsibull_ext", "sphinx_copybutton", "sphinx_design"]
myst_enable_extensions = ["colon_fence"]
# The roles of the pages that antsibull-docs generates.
default_role = "any"
nitpicky = True
highlight_language = "YAML+Jinja"
myst_heading_anchors = 3
# Readers copy commands from the text, so quotes and dashes stay unchanged.
smartquotes = False

html_theme = "furo"
html_title = "meshlab.envoy"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_use_index = False
html_copy_source = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

_ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"
_GUIDES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
_PLUGIN = re.compile(r"ansible_collections\.(\w+)\.(\w+)\.(\w+)_(\w+)")
# ```yaml file=up.yml: a block that the tests of the pages write to a file. The site shows the name as a caption.
_FILE = re.compile(r"^```yaml file=(\S+)$", re.MULTILINE)
_CONTENTS = re.compile(r"^\.\. contents::\n(?: +\S.*\n)*", re.MULTILINE)
_TITLE = re.compile(r"^meshlab\.envoy\.(\w+ (?:module|filter|role)) -- (.+)\n(\+{3,})$", re.MULTILINE)
_EXAMPLES = re.compile(r"^\.\. Examples\n.*?(?=^\.\. Facts$)", re.MULTILINE | re.DOTALL)
# antsibull-docs writes a comment before each section. The first of these follows the synopsis and the requirements.
_OPTIONS = re.compile(r"^\.\. (?:Input|Positional|Options)$", re.MULTILINE)
_REFERENCE = "Modules, filters and roles"


def link_to_ansible(_app: Any, _environment: Any, node: Any, content: Any) -> Any:
    """Return a link to a page of Ansible or of another collection; None for any other reference, which is then a warning."""
    from docutils.nodes import reference

    label = str(node.get("reftarget", ""))
    plugin = _PLUGIN.match(label)
    if label in _GUIDES:
        page = _GUIDES[label]
    elif plugin is not None and plugin.group(1, 2) != ("meshlab", "envoy"):
        page = "collections/{}/{}/{}_{}.html".format(*plugin.groups())
    else:
        return None
    return reference("", "", content, internal=False, refuri=f"{_ANSIBLE}/{page}")


def adapt_page(_app: Any, page: str, source: list[str]) -> None:
    """Adapt a page of antsibull-docs to a site of one collection: a shorter title, and the theme's table of contents."""
    text = _FILE.sub(r"```{code-block} yaml+jinja\n:caption: \1\n", source[0])
    if page.startswith("collection/"):
        text = _examples_first(_CONTENTS.sub("", text))
        text = _TITLE.sub(lambda title: f"{title[1]}\n{title[3]}\n\n{title[2]}.\n", text, count=1)
        text = text.replace("Meshlab.Envoy\n=============\n", f"{_REFERENCE}\n{'=' * len(_REFERENCE)}\n", 1)
    source[0] = text


def _examples_first(text: str) -> str:
    """Move the examples of a module or filter before its options."""
    examples, options = _EXAMPLES.search(text), _OPTIONS.search(text)
    if examples is None or options is None or examples.start() < options.start():
        return text
    return "".join(
        (
            text[: options.start()],
            examples[0],
            text[options.start() : examples.start()],
            text[examples.end() :],
        )
    )


def setup(app: Any) -> None:
    """Register the functions of this file, as Sphinx requires."""
    app.connect("missing-reference", link_to_ansible)
    app.connect("source-read", adapt_page)
