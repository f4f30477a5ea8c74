# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the picture of a topology: it shows all slots and arrows, and its boxes do not overlap."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.picture.plan_topology import topology_of
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.boxes import Label
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.topology_svg import picture

DEMOS = sorted((Path(__file__).resolve().parents[6] / "playbooks" / "demos").glob("*.yml"))
SVG = "{http://www.w3.org/2000/svg}"
WEB = {"port": 8080, "publish": 8000, "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]}


def demo(**topology: Any) -> dict[str, Any]:
    return read_demo("shop", {"summary": "A shop", "ports": 20000, **topology})


def drawn(data: dict[str, Any], **options: Any) -> ET.Element:
    return ET.fromstring(picture(topology_of(data), "shop", **options))


def texts(svg: ET.Element) -> list[str]:
    return [str(one.text) for one in svg.iter(f"{SVG}text")]


def arrows(svg: ET.Element, kind: str = "arrow") -> int:
    return sum(one.get("class") == kind for one in svg.iter(f"{SVG}path"))


def boxes(svg: ET.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of each rectangle that is not behind another of the same group."""
    found = []
    for one in svg.iter(f"{SVG}rect"):
        if "behind" not in str(one.get("class")):
            x, y, width, height = (float(str(one.get(key))) for key in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
    return found


def test_edge_and_service_with_sidecar_are_connected() -> None:
    edge = {"listeners": {"http": WEB}, "clusters": {"web": {"to": "web", "tls": {}}}}
    svg = drawn(demo(services={"web": {"sidecar": {}, "replicas": 3}}, proxies={"edge": edge}))
    shown = texts(svg)
    assert {":8000", "edge", "http :8080", "web (TLS)", "web × 3", "ingress :10000 http", ":8080"} <= set(
        shown
    )
    # from the host, from the edge, and from the sidecar to its app
    assert arrows(svg) == 3


def test_picture_has_a_description_for_screen_readers() -> None:
    edge = {"listeners": {"http": WEB}, "clusters": {"web": {"to": "web"}}}
    svg = drawn(demo(services={"web": {"replicas": 2}}, proxies={"edge": edge}))
    assert svg.get("role") == "img"
    assert str(svg.get("aria-labelledby")).split() == [one.get("id") for one in (svg[0], svg[1])]
    assert (svg[0].tag, svg[0].text) == (f"{SVG}title", "Topology of shop")
    assert (svg[1].tag, svg[1].text) == (
        f"{SVG}desc",
        "Port 8000 of the host leads to edge (http :8080). web of edge leads to web (:8080). web × 2.",
    )


def test_published_app_is_below_its_sidecar() -> None:
    svg = drawn(
        demo(
            services={
                "web": {"publish": 8001, "sidecar": {"listeners": {"http": {"port": 9000, "publish": 8000}}}}
            }
        )
    )
    _host, _frame, sidecar, app = boxes(svg)
    assert app[1] > sidecar[3]
    assert arrows(svg) == 3


def test_outside_cluster_is_shown_with_its_address() -> None:
    cluster = {"address": "db.example.com", "port": 5432}
    svg = drawn(
        demo(services={}, proxies={"edge": {"listeners": {"http": WEB}, "clusters": {"web": cluster}}})
    )
    assert {"outside", "db.example.com:5432"} <= set(texts(svg))


def test_stats_arrow_leads_to_the_exporter() -> None:
    listener = {"port": 9000, "publish": 8000}
    svg = drawn(
        demo(
            services={"web": {"sidecar": {"listeners": {"http": listener}}}},
            statsd_exporter={"shares_network_with": "web", "publish": 9102},
        )
    )
    assert {"statsd_exporter", "in the network of web", "http :9102", "statsd :9125", "stats"} <= set(
        texts(svg)
    )
    assert arrows(svg, "arrow stats") == 1


def test_server_is_connected_to_referenced_addresses() -> None:
    server = {
        "image": "watch:1",
        "command": ["watch", "${web/admin}", "${statsd_exporter.host}", "${web/admin.port}"],
    }
    services = {"web": {"sidecar": {"listeners": {"http": {"port": 9000}}}}, "watch": {"server": server}}
    svg = drawn(demo(services=services, statsd_exporter={"shares_network_with": "web"}))
    assert {"web/admin", "admin :9902", "statsd_exporter"} <= set(texts(svg))
    # from the sidecar to its app, and from the server to both
    assert arrows(svg) == 3
    assert "web/admin of watch leads to web (admin :9902)." in str(svg[1].text)


def test_loops_stay_inside_the_picture() -> None:
    routes = WEB["routes"]
    inner = {"port": 8081, "routes": routes}
    first = {
        "listeners": {"http": WEB, "inner": inner},
        "clusters": {"self": {"to": "a/inner"}, "web": {"to": "b"}},
    }
    second = {"listeners": {"http": inner}, "clusters": {"web": {"to": "a/inner"}}}
    svg = drawn(demo(services={}, proxies={"a": first, "b": second}))
    assert arrows(svg) == 4
    width, height = (float(str(svg.get(key))) for key in ("width", "height"))
    assert all(
        left >= 0 and right <= width and top >= 0 and bottom <= height
        for left, top, right, bottom in boxes(svg)
    )


def test_name_is_escaped() -> None:
    service = {"server": {"image": "a<b>&c", "command": ["run"]}}
    assert "a<b>&c" in texts(drawn(demo(services={"web": service})))


def test_long_line_is_cut() -> None:
    service = {"server": {"image": "registry.example.com/" + "x" * 100, "command": ["run"]}}
    assert max(map(len, texts(drawn(demo(services={"web": service}))))) <= 34


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_boxes_of_a_demo_do_not_overlap(path: Path) -> None:
    svg = drawn(read_demo(path.stem, yaml.safe_load(path.read_text(encoding="utf-8"))))
    for one, other in itertools.combinations(boxes(svg), 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        inside = one[0] <= other[0] and other[2] <= one[2] and one[1] <= other[1] and other[3] <= one[3]
        assert apart or inside, (one, other)


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_texts_of_a_demo_fit_into_their_boxes(path: Path) -> None:
    svg = drawn(read_demo(path.stem, yaml.safe_load(path.read_text(encoding="utf-8"))))
    for one in svg.iter(f"{SVG}text"):
        x, y, wide = float(str(one.get("x"))), float(str(one.get("y"))), 7.2 * len(str(one.text))
        left = x - {"start": 0, "middle": wide / 2, "end": wide}[str(one.get("text-anchor"))]
        assert any(
            box[0] <= left and left + wide <= box[2] and box[1] <= y - 9 and y + 3 <= box[3]
            for box in boxes(svg)
        ), one.text


LABEL = Label("2000 requests, 12 failed", "p50 0.6, p99 1.2 ms, 4.2 MB", failed=True)


def labelled(path: Path) -> tuple[dict[str, Any], ET.Element]:
    """Return a demo and its picture with a label on each arrow and a caption on each box."""
    data = read_demo(path.stem, yaml.safe_load(path.read_text(encoding="utf-8")))
    topology = topology_of(data)
    labels = {(one["source"][0], one["source"][1]): LABEL for one in topology["arrows"]}
    captions = {one["name"]: "kubernetes, left" for one in topology["boxes"]}
    return data, ET.fromstring(picture(topology, "shop", labels=labels, captions=captions))


Area = tuple[float, float, float, float]  # left, top, right, bottom


def areas_of_labels(svg: ET.Element) -> list[Area]:
    """Return the area of each line of a label, whose letters of 10 px are 6 px wide."""
    found = []
    for text in svg.iter(f"{SVG}text"):
        for span in text if str(text.get("class")).startswith("label") else ():
            x, y = float(str(span.get("x"))), float(str(span.get("y")))
            found.append((x, y - 8, x + 6 * len(str(span.text)), y + 2))
    return found


def is_inside(one: Area, other: Area) -> bool:
    return other[0] <= one[0] and one[2] <= other[2] and other[1] <= one[1] and one[3] <= other[3]


def is_apart(one: Area, other: Area) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_labels_overlap_neither_programs_nor_each_other(path: Path) -> None:
    data, svg = labelled(path)
    areas = areas_of_labels(svg)
    rows = {(one["source"][0], one["source"][1]) for one in topology_of(data)["arrows"]}
    assert len(areas) == 2 * len(rows)
    programs = [
        box for box in boxes(svg) if not any(one != box and is_inside(one, box) for one in boxes(svg))
    ]
    for area in areas:
        touched = [one for one in (*programs, *areas) if one is not area and not is_apart(area, one)]
        assert touched == [], area
    width, height = (float(str(svg.get(key))) for key in ("width", "height"))
    assert all(area[2] <= width and area[3] <= height for area in areas)


def test_label_and_caption_are_shown_and_described() -> None:
    edge = {"listeners": {"http": WEB}, "clusters": {"web": {"to": "web"}}}
    data = demo(services={"web": {}}, proxies={"edge": edge})
    svg = drawn(
        data,
        labels={("edge", "web"): Label("24 requests", "p99 1 ms", failed=True)},
        captions={"web": "docker, left"},
    )
    spans = {str(one.text): str(one.get("class")) for one in svg.iter(f"{SVG}tspan")}
    assert {"24 requests", "p99 1 ms", "docker, left"} == set(spans)
    assert [one.get("class") for one in svg.iter(f"{SVG}text") if len(one) == 2] == ["label failed"]
    assert "web of edge leads to web (:8080): 24 requests, p99 1 ms." in str(svg[1].text)


def test_arrow_inside_a_frame_curves_beyond_its_label() -> None:
    services = {"web": {"publish": 8001, "sidecar": {"listeners": {"http": {"port": 9000, "publish": 8000}}}}}
    svg = drawn(demo(services=services), labels={("web", "web"): LABEL})
    [label] = {
        area[2] for area in areas_of_labels(svg) if area[2] == max(one[2] for one in areas_of_labels(svg))
    }
    paths = [str(one.get("d")) for one in svg.iter(f"{SVG}path") if one.get("class") == "arrow"]
    curves = [float(path.partition("H")[2].partition("C")[0]) for path in paths if "C" in path]
    assert max(curves) >= label
