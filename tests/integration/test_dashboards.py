# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each query of the dashboards, and all rules, at the Prometheus of demo `prometheus`, compared with the stats of its Envoys."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import envoys
import pytest
import yaml
from dashboard_files import NAMES, at_rest, dashboard, panel_queries, with_variables
from deployment import Deployment, module_answer
from live import Home
from panel_expectations import Envoy, Quantile, Reading
from panel_table import CHANGING, EXPECTED

from ansible_collections.meshlab.envoy.plugins.modules import envoy_stats, envoy_stats_info, http_traffic

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "playbooks" / "files" / "rules"
# A window with all samples since the start.
VALUES = {
    **dict.fromkeys(("demo", "host", "proxy", "listener", "cluster"), ".*"),
    "job": "envoy",
    "exporter": "statsd_exporter",
    "__rate_interval": "5m",
}
WINDOW = 300
HOSTS = {"web": "north", "edge": "south"}
LISTENERS = {"web": ("ingress",), "edge": ("http", "https")}
CLUSTERS = {"web": ("web",), "edge": ("to_web",)}
QUERIES = {query.place: query for query in panel_queries()}


class Parts:
    """The deployed demo: its Prometheus, its traffic and its stats."""

    def __init__(self, plan: Any) -> None:
        self.endpoints = [{key: one[key] for key in ("name", "url", "format")} for one in plan["endpoints"]]
        self.urls = {one["name"]: one["url"] for one in plan["addresses"]}
        self.authority = str(Path(plan["folder"]) / "ca" / "ca.crt")
        self.before = self.after = self.last = Reading((), {}, {}, 0)

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of a response of Prometheus."""
        url = f"{self.urls['prometheus/app'].rstrip('/')}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the series of a query: labels and value."""
        return [
            (one["metric"], float(one["value"][1])) for one in self.get("query", query=expression)["result"]
        ]

    def send(self, to: str, count: int, status: str = "200", delay: int = 20) -> None:
        """Send requests to a listener, four at a time, so that each Envoy opens more connections."""
        tls = {"ca": self.authority, "server_name": "edge"} if to.endswith("https") else {}
        traffic = {
            "name": to,
            "url": f"{self.urls[to].rstrip('/')}/{f'delay?ms={delay}' if status == '200' else f'status/{status}'}",
            "requests": count,
            "concurrency": min(count, 4),
            "expect": [{"status": status, "op": "eq", "value": count}],
            **tls,
        }
        sent = module_answer(http_traffic, {"traffic": [traffic]})
        assert not sent["failed"], sent["msg"]

    def read(self) -> Reading:
        """Return the stats of the Envoys and of the exporter."""
        pages = [one for one in self.endpoints if one["format"] != "promql"]
        found = module_answer(envoy_stats_info, {"endpoints": pages})
        assert not found["failed"], found
        readings, histograms = found["readings"], found["histograms"]
        named = (("web", "web-1"), ("edge", "edge"))
        return Reading(
            tuple(
                Envoy(
                    {"proxy": proxy, "host": HOSTS[proxy]},
                    readings[endpoint]["stats"],
                    histograms[endpoint],
                    LISTENERS[proxy],
                    CLUSTERS[proxy],
                )
                for proxy, endpoint in named
            ),
            readings["statsd_exporter"]["prometheus"],
            histograms["statsd_exporter"],
            time.time(),
        )

    def hold(self, *assertions: dict[str, Any]) -> None:
        """Wait until assertions about the Envoys, the exporter and Prometheus hold."""
        result = module_answer(
            envoy_stats,
            {"endpoints": self.endpoints, "assertions": list(assertions), "wait": True, "timeout": 60},
        )
        assert not result["failed"], result["msg"]

    def wait_for_scrapes(self) -> None:
        """Wait until Prometheus has read each target after now."""
        now = time.time()
        self.hold({"promql": f"count(timestamp(up) > {now})", "op": "eq", "value": 3})

    def settle(self) -> None:
        """Wait until the histograms, the exporter and Prometheus have all requests."""
        counted = self.read()
        web, edge = counted.envoys
        total = {"of": "value", "op": "eq"}
        exporter = {"endpoint": "statsd_exporter", "stat": "envoy_cluster_upstream_rq_total"}
        self.hold(
            {
                "endpoint": "web-1",
                "stat": "http.ingress.downstream_rq_time",
                "bucket": "inf",
                "op": "eq",
                "value": web.stats["http.ingress.downstream_rq_total"],
            },
            *(
                {
                    "endpoint": "edge",
                    "stat": f"http.{name}.downstream_rq_time",
                    "bucket": "inf",
                    "op": "eq",
                    "value": edge.stats[f"http.{name}.downstream_rq_total"],
                }
                for name in LISTENERS["edge"]
            ),
            {
                **exporter,
                "labels": {"envoy_cluster_name": "web"},
                **total,
                "value": web.stats["cluster.web.upstream_rq_total"],
            },
            {
                **exporter,
                "labels": {"envoy_cluster_name": "to_web"},
                **total,
                "value": edge.stats["cluster.to_web.upstream_rq_total"],
            },
        )
        self.wait_for_scrapes()


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    """Deploy the demo with the rules, on two hosts by its labels, and send requests of which some fail."""
    home = Home("local")
    try:
        demo = Deployment(home, "prometheus")
        config = demo.data["services"]["prometheus"]["server"]["files"]
        scrapes = yaml.safe_load(config["prometheus.yml"])
        for target in scrapes["scrape_configs"][0]["static_configs"]:
            target["labels"]["host"] = HOSTS[target["labels"]["proxy"]]
        scrapes["rule_files"] = [path.name for path in sorted(RULES.glob("*.yml"))]
        scrapes["global"]["evaluation_interval"] = "1s"
        config["prometheus.yml"] = yaml.safe_dump(scrapes)
        for path in RULES.glob("*.yml"):
            # Placeholders of demos begin with ${, which no rule contains.
            config[path.name] = path.read_text(encoding="utf-8")
        plan = demo.plan()
        try:
            started = demo.run(plan)
            assert not started["failed"], started["msg"]
            found = Parts(plan)
            # Creates every series, so that Prometheus has a sample before the traffic.
            for to in ("web/ingress", "edge/http", "edge/https"):
                found.send(to, 1)
            found.send("edge/http", 1, "503")
            found.settle()
            found.before = found.read()
            found.send("web/ingress", 40)
            found.send("edge/http", 30)
            found.send("edge/https", 20)
            # Slow requests, so that the quantiles differ.
            for to in ("web/ingress", "edge/http", "edge/https"):
                found.send(to, 3, delay=150)
            # More than outlier detection accepts.
            found.send("edge/http", 6, "503")
            found.settle()
            found.after = found.read()
            found.wait_for_scrapes()
            yield found
        finally:
            demo.run(plan, state="absent")
    finally:
        home.close()


def test_committed_dashboards_are_those_of_the_definitions() -> None:
    environment = {**os.environ, "MESHLAB_DASHBOARDS": str(envoys.FOLDER.with_name("dashboards"))}
    tool = ROOT / "tools" / "dashboards" / "write_dashboards.py"
    command = [sys.executable, str(tool), "--check"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_each_query_has_an_expected_value() -> None:
    expected = {
        f"{panel}/{letter}"
        for panel, found in EXPECTED.items()
        for letter, _one in zip("ABCDEFGH", found, strict=False)
    }
    assert set(QUERIES) == expected


def test_queries_have_the_values_of_the_envoys(parts: Parts) -> None:
    """Compare counters in place of rates, which at rest are exactly those of Envoy, or between two readings if they still change."""
    faults = []
    results = {
        place: parts.query(with_variables(at_rest(one.expression), VALUES)) for place, one in QUERIES.items()
    }
    now = parts.read()
    for place, series in results.items():
        panel, _slash, letter = place.rpartition("/")
        expected = EXPECTED[panel]["ABCDEFGH".index(letter)]
        if not series:
            faults.append(f"{place}: returns nothing")
            continue
        for labels, value in series:
            if isinstance(expected, Quantile):
                if not expected.holds(now, labels, value):
                    faults.append(f"{place}: {labels}: the quantile {value} is not in its bucket")
                continue
            bounds = [expected.value(reading, labels) for reading in (parts.after, now)]
            slack = CHANGING.get(place, 0) * max(map(abs, bounds)) + 1e-3 * ("Certificates" in panel) + 1e-9
            if not min(bounds) - slack <= value <= max(bounds) + slack:
                faults.append(f"{place}: {labels}: expected {' to '.join(map(str, bounds))}, got {value}")
        if expected.whole and place not in CHANGING:
            bounds = [expected.value(reading, {}) for reading in (parts.after, now)]
            value = sum(value for _labels, value in series)
            if not min(bounds) - 1e-9 <= value <= max(bounds) + 1e-9:
                faults.append(f"{place}: expected {' to '.join(map(str, bounds))} in all series, got {value}")
    assert not faults, "\n".join(faults)


def test_rates_have_the_sum_of_the_traffic(parts: Parts) -> None:
    """Compare the rates of the unchanged queries, times their window, with the differences of Envoy's counters."""
    faults, compared = [], 0
    now = parts.read()
    for place, one in QUERIES.items():
        series = parts.query(with_variables(one.expression, VALUES))
        panel, _slash, letter = place.rpartition("/")
        expected = EXPECTED[panel]["ABCDEFGH".index(letter)]
        if not series or not all(math.isfinite(value) for _labels, value in series):
            faults.append(f"{place}: {series}")
        if re.search(r"\brate\(", one.expression) and expected.whole and place not in CHANGING:
            seen = sum(value for _labels, value in series) * WINDOW
            most = expected.value(now, {})
            least = expected.value(parts.after, {}) - expected.value(parts.before, {})
            compared += least > 0
            # Prometheus extrapolates by up to half an interval at both ends.
            if not 0.9 * least <= seen <= 1.6 * most + 1e-9:
                faults.append(f"{place}: expected {least} to {most}, got {seen}")
    assert not faults, "\n".join(faults)
    assert compared > 20, "most counters of requests increase"


def test_traffic_shows_failures_and_an_ejected_host(parts: Parts) -> None:
    """The values of all other tests are not only 0."""
    [(_labels, failed)] = parts.query(
        with_variables(at_rest(QUERIES["edge/5xx/A"].expression), VALUES | {"proxy": "edge"})
    )
    assert failed == pytest.approx(7 / 65)
    assert parts.query(with_variables(at_rest(QUERIES["clusters/Ejections/A"].expression), VALUES)) == [
        ({"envoy_cluster_name": "to_web"}, 1)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_variables_have_the_values_of_the_demo(parts: Parts, name: str) -> None:
    expected = {
        "job": {"envoy"},
        "exporter": {"statsd_exporter"},
        "demo": {"prometheus"},
        "host": {"north", "south"},
        "proxy": {"web", "edge"},
        "listener": {"ingress", "http", "https"},
        "cluster": {"web", "to_web"},
    }
    variables = dashboard(name)["templating"]["list"]
    assert variables[0]["type"] == "datasource"
    for variable in variables[1:]:
        query = variable["query"]["query"]
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        if found:
            matched = with_variables(found[1], VALUES)
            values = set(parts.get(f"label/{found[2]}/values", **{"match[]": matched}))
        else:
            result = parts.query(re.fullmatch(r"query_result\((.+)\)", query)[1])
            pattern = variable["regex"].strip("/")
            texts = (
                "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"
                for labels, _value in result
            )
            values = {re.search(pattern, text)[1] for text in texts}
        assert values == expected[variable["name"]], variable["name"]


def test_rules_are_evaluated_with_the_stats_of_the_demo(parts: Parts) -> None:
    names = [rule["name"] for group in parts.get("rules")["groups"] for rule in group["rules"]]
    assert len(names) == sum(path.read_text().count("expr: ") for path in RULES.glob("*.yml"))
    # The names of recording rules have colons.
    parts.hold(*({"promql": f"count({name})", "op": "ge", "value": 1} for name in names if ":" in name))
    rules = [rule for group in parts.get("rules")["groups"] for rule in group["rules"]]
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    [(_labels, failed)] = parts.query(
        'proxy_listener:envoy_requests_failed:ratio_rate5m{job="envoy",proxy="web"}'
    )
    assert 0 < failed < 0.2
    # A tenth of the requests failed. Alerts with a duration are pending before they fire.
    burning = 'count(count by (alertname) (ALERTS{alertname=~"EnvoyErrorBudgetBurn.+", proxy="edge"}))'
    parts.hold({"promql": burning, "op": "eq", "value": 4})
    active = {alert["labels"]["alertname"] for alert in parts.get("alerts")["alerts"]}
    # The one host of a cluster was ejected, for a time that the test does not control.
    hosts = {"EnvoyEjectedHosts", "EnvoyNoHealthyHosts", "EnvoyFewHealthyHosts", "EnvoyPanicMode"}
    assert {name for name in active if not name.startswith("EnvoyErrorBudgetBurn")} <= hosts
    # Each metric of an alert exists in the demo, or has a reason to be absent.
    absent = {
        "envoy_control_plane_connected_state",
        "statsd_exporter_sample_errors_total",
        "statsd_exporter_events_conflict_total",
    }
    metrics = {
        found
        for rule in rules
        for found in re.findall(r"(?<![:\w])(?:envoy|statsd_exporter)_\w+", rule["query"])
    }
    known = set(parts.get("label/__name__/values")) | {"envoy_cluster_name", "envoy_http_conn_manager_prefix"}
    known |= {"envoy_response_code_class", "envoy_cluster_circuit_breakers_default_"}
    assert metrics - known == absent
