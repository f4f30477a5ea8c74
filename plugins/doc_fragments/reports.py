# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options about reports of the modules that deploy and verify a demo."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation of `REPORT_ARGS` in module_utils/_common/report_options.py."""

    DOCUMENTATION = r"""
options:
  result_formats:
    description:
      - Forms of the report that the controller writes. V(json) is always written.
      - With an empty list, a verification does not wait for the latencies of connections inside the demo, up to 1.5 seconds.
      - V(html) is one page without scripts. V(junit) is JUnit XML. V(markdown) is a Markdown file.
      - V(github) appends the Markdown to the file that the environment variable E(GITHUB_STEP_SUMMARY) of the controller names, if it
        is set.
    type: list
    elements: str
    choices: [html, json, junit, markdown, github]
    default: [html]
  reports_folder:
    description:
      - Path to the folder of reports on the controller. Each demo has a folder in it, with the reports of its last 20 runs.
      - By default C(meshlab.envoy/reports) in E(XDG_STATE_HOME), or in C(~/.local/state). A teardown keeps it.
    type: path
  demo_file:
    description:
      - Path to the demo file on the controller. The report contains its text without secrets, unless the demo has sensitive files.
    type: path
"""
