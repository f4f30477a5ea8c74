# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of runs for tests of reports, with texts that try to leave their place."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.picture.plan_topology import topology_of
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import RunResult
from ansible_collections.meshlab.envoy.plugins.module_utils._report.run_result import run_result

HOSTILE = "<script>alert(1)</script>\"' ]]> --> &amp; \u202e\x1b[31m\x00 | `x` [a](javascript:1) </style></pre> \ud800 \uffff"
SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
BEGAN = 1790000000.25
DEMO_TEXT = f"summary: A shop\nproxies:\n  edge: {{listeners: {{}}}}\n# token: {SECRET}\n# {HOSTILE}\n"
ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
DEMO = {
    "summary": "A shop",
    "ports": 20000,
    "services": {"web": {"replicas": 2, "sidecar": {}}},
    "proxies": {
        "edge": {
            "listeners": {"http": {"port": 8080, "publish": 8000, "routes": ROUTES}},
            "clusters": {"web": {"to": "web"}},
        }
    },
    "traffic": [{"name": "requests", "to": "edge"}],
}
LISTENERS = f"""\
resources:
- name: http
  metadata: {{filter_metadata: {{envoy: {{api_key: {SECRET}, note: "]]> <script>"}}}}}}
"""


def plan() -> dict[str, Any]:
    """Return the keys of a plan that a result has, of a demo with an edge, and a service with two replicas."""
    demo = read_demo("shop", copy.deepcopy(DEMO))
    workloads = [
        {"name": "edge", "group": "edge", "host": "left", "image": "envoy:1", "network": None},
        *(
            workload
            for number in (1, 2)
            for workload in (
                {
                    "name": f"web-{number}-envoy",
                    "group": "web",
                    "host": "right",
                    "image": "envoy:1",
                    "network": None,
                },
                {
                    "name": f"web-{number}",
                    "group": "web",
                    "host": "right",
                    "image": "",
                    "network": f"web-{number}-envoy",
                },
            )
        ),
    ]
    return {
        "name": "shop",
        "platform": "docker",
        "summary": "A shop",
        "change": "",
        "hosts": ["left", "right"],
        "workloads": workloads,
        "addresses": [{"name": "edge/http", "url": "http://127.0.0.1:8000", "what": HOSTILE}],
        "notes": [f"curl {HOSTILE}"],
        "commands": [f"docker compose up '{HOSTILE}'"],
        "topology": topology_of(demo, demo["traffic"]),
        "admins": [{"proxy": "edge", "workload": "edge"}, {"proxy": "web-1", "workload": "web-1-envoy"}],
        "checks": [
            {
                "name": "edge",
                "source": {"file": "shop.yml", "key": "proxies.edge", "lines": {"": 3, "listeners.http": 3}},
            }
        ],
        "files": [
            {"path": "edge/listeners.yaml", "content": LISTENERS, "live": "edge", "sensitive": False},
            {
                "path": "edge/bootstrap.yaml",
                "content": f"node: {{id: edge}}\npassword: {SECRET}",
                "live": None,
                "sensitive": False,
            },
        ],
    }


def traffic(name: str = "requests", failed: int = 0) -> dict[str, Any]:
    """Return the result of a traffic over three seconds, of which some requests failed in the second one."""
    counts = {"v1": 20, HOSTILE: 10}
    timeline = [
        {
            "second": second,
            "requests": 30,
            "failed": failed if second == 1 else 0,
            "by_status": {"200": 30},
            "by_header": {"x-app-version": counts},
        }
        for second in range(3)
    ]
    found = 90 - failed
    texts = {
        "subject": f"answers with status 200 of traffic {name}",
        "expected": "90",
        "observed": str(found),
    }
    message = f"expected 90, got {found} ({texts['subject']}). Body of a 503: {HOSTILE} {SECRET}."
    return {
        "name": name,
        "url": "http://127.0.0.1:8000/",
        "sent": 90,
        "answered": 90,
        "statuses": {"200": found, "503": failed} if failed else {"200": 90},
        "errors": {},
        "hosts": {HOSTILE: 45, "web-2": 45},
        "latency_ms": {"min": 0.3, "mean": 0.6, "p50": 0.5, "p90": 0.9, "p99": 1.4, "max": 2.0},
        "latency_histogram": [[0.398, 10], [0.501, 40], [0.794, 30], [1.995, 10]],
        "timeline": timeline,
        "began": BEGAN,
        "bytes_received": 5432,
        "connections": 1,
        "elapsed": 3.0,
        "last_error": "",
        "expect": [
            {
                "ok": not failed,
                "name": "",
                "expected": "90",
                "observed": found,
                "accepted": [90, 90],
                "texts": texts,
                "message": message,
            }
        ],
    }


def verified(failed: int = 0) -> dict[str, Any]:
    """Return the result of demo_verify."""
    subject = "server_info state at edge"
    state = {"subject": subject, "expected": "'LIVE'", "observed": "'LIVE'"}
    return {
        "traffic": [traffic(failed=failed)],
        "assertions": [
            {
                "ok": True,
                "name": HOSTILE,
                "observed": "LIVE",
                "accepted": None,
                "texts": state,
                "message": subject,
            }
        ],
        "endpoints": [{"name": "edge", "version": "1.40.0"}],
        "reasons": [f"traffic requests: 3 × 503 at edge: {HOSTILE}"] if failed else [],
        "clusters": [
            {
                "group": "edge",
                "cluster": "web",
                "requests": 90,
                "failed": failed,
                "bytes": 99,
                "p50_ms": 0.4,
                "p99_ms": None,
            }
        ],
        "began": BEGAN,
        "elapsed": 3.5,
    }


def deployed() -> dict[str, Any]:
    """Return the result of demo_deploy for a change under traffic."""
    return {
        "seconds": {"preflight": 0.1, "live": 0.4},
        "began": {"preflight": BEGAN - 0.2, "live": BEGAN + 0.4},
        "confirmed": {"edge": BEGAN + 0.8},
        "replaced": {"edge": "hot_restart"},
        "restarted": ["edge"],
        "started": ["web-2"],
        "removed": [],
        "traffic": [traffic("during")],
    }


def result(failed: int = 0, change: bool = False, **changes: Any) -> RunResult:
    """Return the result of a run, of which some requests failed, or which deployed a change."""
    found = plan() | changes
    return run_result(
        found,
        verified(failed),
        deployed() if change else None,
        DEMO_TEXT,
        {"ansible-core": "2.19.0"},
        ["make demo"],
    )
