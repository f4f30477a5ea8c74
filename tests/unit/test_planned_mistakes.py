# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generated wrong configurations of all demos: the planner accepts each, or refuses it with its place. It never raises another error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from demo_data import GALLERY, gallery_demo
from wrong_configurations import WrongConfiguration, wrong_configurations

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource, with_line
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.plugin_utils._demo_file import read_demo_file
from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context

DEMOS = sorted(path.stem for path in GALLERY.glob("*.yml"))
EACH = 4
PROGRAM = {"image": "i", "executable": "/bin/program"}
PROGRAMS = dict.fromkeys(("envoy", "python", "statsd_exporter"), PROGRAM) | {
    "supervisord": {"executable": "s"}
}


def refusal(wrong: WrongConfiguration, platform: str, folder: Path) -> str:
    """Return the error of the planner; empty if it accepts the configuration."""
    path = folder / f"{wrong.demo}.yml"
    path.write_text(wrong.text, encoding="utf-8")
    source = DemoSource()
    try:
        data, source = read_demo_file(path)
        context = complete_context({"platform": platform, "folder": "/state", **PROGRAMS})
        make_plan(wrong.demo, data, context, path.name, source=source)
    except DemoError as error:
        return with_line(error, source)
    return ""


@pytest.mark.parametrize("demo", DEMOS)
def test_refused_mistake_has_its_place(demo: str, tmp_path: Path) -> None:
    data = gallery_demo(demo)
    platform = "docker" if "local" in (data.get("unsupported_on") or {}) else "local"
    for wrong in wrong_configurations(demo, data, 14, EACH):
        message = refusal(wrong, platform, tmp_path)
        assert not message or re.match(
            rf"{demo}\.yml(, line \d+)?( with change '\w+')?: .+[.?]", message, re.S
        ), wrong


def test_same_seed_gives_the_same_mistakes() -> None:
    data = gallery_demo("front_proxy")
    first, second, other = (list(wrong_configurations("front_proxy", data, seed, 20)) for seed in (1, 1, 2))
    assert first == second != other
    assert data == gallery_demo("front_proxy")
    assert len({one.mistake for one in first}) > 15
