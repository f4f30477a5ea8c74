# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the message about each wrong input: the place in the author's file, the fault and the remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import CASES, CaseDeployment, PortBlock, case_data

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource, with_line
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.plugin_utils._demo_file import read_demo_file
from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context

FOLDER = "42-wrong-inputs"
EDGE = "proxies.edge"
LISTENER = f"{EDGE}.listeners.http"
FILTER = f"{LISTENER}.http_filters[0].typed_config"
BUFFER = "envoy.extensions.filters.http.buffer.v3.Buffer"
# For each input the line, the text before the fault, the fault and the remedy. The first line of the message is exactly these.
REFUSED = {
    "b01_yaml": (22, "", "the '{' in this line is not closed.", "Add '}'."),
    "b01b_tab": (6, "", "a tab indents this line.", "YAML needs blanks: replace the tab."),
    "b02_indent": (
        14,
        "",
        "'publish: 31880' has a value, so line 15 cannot be indented below it.",
        "Indent both lines alike.",
    ),
    "b02b_indent": (
        21,
        f"{LISTENER}.routes[0]: ",
        "A Route needs one of 'route', 'redirect', 'direct_response', 'filter_action' or 'non_forwarding_action'.",
        "Add it. The next item begins with 'route': replace the '-' before it by a blank if both are one item.",
    ),
    "b02c_indent": (
        23,
        "",
        "unknown key 'clusters'.",
        "It is a key of 'proxies.NAME' and 'services.NAME.sidecar': indent it or move it there.",
    ),
    "b03_key": (14, f"{LISTENER}: ", "unknown key 'publsh'.", "Did you mean 'publish'?"),
    "b04_cluster": (
        22,
        f"{LISTENER}.routes[0].route.cluster: ",
        "unknown cluster 'webb'.",
        "Did you mean 'web'? The clusters of this proxy are: web. Correct the name, or add the cluster under 'proxies.edge.clusters'.",
    ),
    "b04b_to": (24, f"{EDGE}.clusters.web: ", "unknown service or proxy 'weeb'.", "Did you mean 'web'?"),
    "b09_listener": (28, "traffic[0].to: ", "unknown listener of 'edge' 'htp'.", "Did you mean 'http'?"),
    "b09b_at": (34, "expectations[0].at: ", "unknown service or endpoint 'egde'.", "Did you mean 'edge'?"),
    "b10_field": (
        19,
        f"{FILTER}.max_request_byte: ",
        "unknown field 'max_request_byte' of a Buffer.",
        "Did you mean 'max_request_bytes'?",
    ),
    "b10b_value": (
        19,
        f"{FILTER}.max_request_bytes: ",
        "expected a whole number, got 'lots'.",
        "Write a number without a unit.",
    ),
    "b11_type": (18, f"{FILTER}.@type: ", f"unknown type '{BUFFER[:-3]}er'.", f"Did you mean '{BUFFER}'?"),
    "b11b_notype": (
        17,
        f"{FILTER}: ",
        "'@type' is missing.",
        f"Add '\"@type\": type.googleapis.com/{BUFFER}'.",
    ),
    "b11c_name": (
        18,
        f"{FILTER}.@type: ",
        f"unknown type '{BUFFER.replace('buffer', 'bufer')}'.",
        f"Did you mean '{BUFFER}'?",
    ),
    "b15_op": (
        31,
        "traffic[0].expect[0].op: ",
        "unknown value '=='.",
        "Use one of: between, eq, ge, gt, in, le, lt, ne.",
    ),
    "b17_requests": (
        29,
        "traffic[0].requests: ",
        "expected a whole number from 1 to 1000000,",
        "got 'ten'.",
    ),
    "b18_path": (
        30,
        "traffic[0].path: ",
        "expected a path that begins with '/', got 'service'.",
        "Write '/service'.",
    ),
    "b19_retry": (
        23,
        f"{LISTENER}.routes[0].retry_policy: ",
        "unknown field 'retry_policy' of a Route.",
        "It is a field of 'route': move it there.",
    ),
    "b21_pathvar": (
        6,
        "services.web.app: ",
        "unknown key 'hops'.",
        "Use one of: calls, environment, service, version.",
    ),
    "b24_admin": (3, "statsd_exporter: ", "unknown key 'publsh'.", "Did you mean 'publish'?"),
    "cyc": (3, "", "this value contains an alias of itself.", "Write out the value."),
    "laugh": (
        5,
        "",
        "the demo has more than 1,000,000 values, with aliases written out.",
        "Remove aliases (*name) of aliases.",
    ),
}  # fmt: skip
# Inputs that are correct, or whose fault only a deployment or its traffic shows. Other tests have b12_down, c1_tag, r1 and r2.
PLANNED = ["base", "b08_offbyone", "b13_stat", "b14_intstatus", "b16_noports", "b22_crash", "b23_prog"]
ELSEWHERE = ["b12_down", "b20_privport", "c1_tag", "r1", "r2"]


def input_file(name: str, folder: Path) -> Path:
    """Return the path of an input. One that a linter of YAML cannot read has the suffix .txt, and is copied."""
    path = CASES / FOLDER / f"{name}.yml"
    if path.exists():
        return path
    copy = folder / path.name
    copy.write_text(path.with_suffix(".txt").read_text(encoding="utf-8"), encoding="utf-8")
    return copy


def plan_of(name: str, folder: Path) -> Any:
    """Return the plan of an input on the platform local."""
    path = input_file(name, folder)
    data, source = read_demo_file(path)
    programs = {
        "envoy": {"executable": os.environ["MESHLAB_ENVOY"]},
        "python": {"executable": "python3"},
        "supervisord": {"executable": "supervisord"},
    }
    context = complete_context({"platform": "local", "folder": str(folder), **programs})
    return make_plan("wrong", data, context, path.name, source=source)


def error_of(name: str, folder: Path) -> str:
    """Return the message of an input that the planner refuses."""
    path = input_file(name, folder)
    source = DemoSource()
    try:
        data, source = read_demo_file(path)
        make_plan(
            "wrong",
            data,
            complete_context({"platform": "local", "folder": str(folder)}),
            path.name,
            source=source,
        )
    except DemoError as error:
        return with_line(error, source)
    raise AssertionError(f"{name} is not refused")


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_input_is_refused_with_place_fault_and_remedy(name: str, tmp_path: Path) -> None:
    line, key, fault, remedy = REFUSED[name]
    where = f"{name}.yml, line {line}" if line else f"{name}.yml"
    assert error_of(name, tmp_path).splitlines()[0] == f"{where}: {key}{fault} {remedy}"


def test_demo_without_ports_gets_free_ports(tmp_path: Path) -> None:
    planned = plan_of("b16_noports", tmp_path)
    assert planned["deployed"]["ports"]
    assert min(planned["deployed"]["ports"].values()) >= planned["deployed"]["block"]


def test_every_input_has_a_test() -> None:
    assert {path.stem for path in (CASES / FOLDER).iterdir()} == {*REFUSED, *PLANNED, *ELSEWHERE}


def test_unknown_cluster_lists_the_clusters_and_their_key(tmp_path: Path) -> None:
    # The planner refuses an unknown cluster. Envoy finds it in a plan that was changed.
    plan = plan_of("base", tmp_path)
    [file] = next(check["files"] for check in plan["checks"] if check["name"] == "edge")
    file["content"] = file["content"].replace("cluster: web\n", "cluster: webb\n")
    with pytest.raises(ConfigRefused) as caught, prepare(tmp_path, DesiredFiles.from_plan(plan)):
        pass
    kept = tmp_path / ".refused" / "edge.yaml"
    assert str(caught.value) == (
        f"base.yml, line 22: {LISTENER}.routes[0].route.cluster: edge: Envoy refuses it: route: unknown cluster"
        " 'webb'. Did you mean 'web'? The clusters of this proxy are: web. Correct the name, or add the cluster under"
        f" '{EDGE}.clusters'. Nothing was changed. Refused: {kept}."
    )
    assert "cluster: webb" in kept.read_text(encoding="utf-8")
    assert oct(kept.stat().st_mode)[-3:] == "600"
    with prepare(tmp_path, DesiredFiles.from_plan(plan_of("base", tmp_path))):
        assert not kept.exists()


def test_wrong_expectation_names_the_near_stat(
    block: PortBlock, deployment: Callable[[str], CaseDeployment]
) -> None:
    data = case_data(f"{FOLDER}/base.yml", block)
    for name in ("b08_offbyone", "b13_stat"):
        data["expectations"] += case_data(f"{FOLDER}/{name}.yml", block)["expectations"]
    data["traffic"] = case_data(f"{FOLDER}/b14_intstatus.yml", block)["traffic"]
    made = deployment("local")
    off_by_one, misspelt = made.failures(made.deploy(data), timeout=1)
    assert re.match(r"expected 11, got 10 \(delta of cluster\.web\.upstream_rq_200 at edge\)", off_by_one)
    assert "cluster.web.upstream_rq_20 at edge" in misspelt
    assert "it does not exist. The nearest names are cluster.web.upstream_rq_200" in misspelt
    assert "default: 0" not in misspelt


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("b22_crash", r"web-1 ended with exit code 1\. Last lines of its log \(\S+\):\n +no licence"),
        (
            "b23_prog",
            r"web-1 cannot be started: nginx is in no folder of PATH\. Install it, or correct its path\.",
        ),
    ],
)
def test_program_that_does_not_start_is_named(
    block: PortBlock, deployment: Callable[[str], CaseDeployment], name: str, message: str
) -> None:
    made = deployment("local")
    result = made.result(made.plan(case_data(f"{FOLDER}/{name}.yml", block)))
    assert result["failed"]
    assert re.match(message, result["msg"]), result["msg"]
