# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema of the result of a run: data that JSON represents exactly.

docs/result.md is generated from these types by tools/docs/plan_reference.py, as docs/plan.md is from those of the plan.
"""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import (
    PublishedAddress,
    Topology,
)

SCHEMA = 1


class PartOfRun(TypedDict):
    """Where one box of the topology ran.

    Attributes:
        box: Name of the box.
        hosts: Names of its hosts. Empty on a cluster, which places pods itself.
        programs: Names of its workloads.
        images: Container images of its workloads. Empty on a platform that runs processes.
        networks: Workload whose network a workload shares, by the name of the latter.
    """

    box: str
    hosts: list[str]
    programs: list[str]
    images: list[str]
    networks: dict[str, str]


class Connection(TypedDict):
    """The numbers of the arrows that begin at one row of the topology.

    Attributes:
        source: Name of the box and of the row.
        requests: Number of requests; of connections, if the traffic is not HTTP.
        failed: Number of requests without a response, or with a status of 500 and above.
        bytes: Number of bytes received.
        p50_ms: Median latency in milliseconds. Null: unknown.
        p99_ms: 99th percentile of the latency in milliseconds. Null: unknown.
    """

    source: list[str]
    requests: int
    failed: int
    bytes: int
    p50_ms: float | None
    p99_ms: float | None


class Interval(TypedDict):
    """The requests of a traffic that ended in one interval.

    Attributes:
        second: Number of seconds from the first request to the start of the interval.
        requests: Number of requests.
        failed: Number of requests without a response, or with a status of 500 and above.
        by_status: Number of responses by status.
        by_header: Number of responses by value, for each header that an expectation selects.
    """

    second: int
    requests: int
    failed: int
    by_status: dict[str, int]
    by_header: dict[str, dict[str, int]]


class SentTraffic(TypedDict):
    """One traffic that was sent.

    Attributes:
        name: Name of the traffic.
        url: URL of the requests.
        sent: Number of requests.
        answered: Number of responses.
        statuses: Number of responses by status.
        errors: Number of requests without a response, by reason.
        hosts: Number of responses by host.
        latency_ms: Latencies in milliseconds: `min`, `mean`, `p50`, `p90`, `p99` and `max`. Null without a response.
        latency_histogram: Upper bound in milliseconds and number of responses of each bucket.
        timeline: Intervals from the first request on.
        bytes_received: Number of bytes of all bodies.
        connections: Number of connections that were opened.
        began: Time of the first request, in seconds since 1970.
        elapsed: Number of seconds from the first request to the last response.
        last_error: Text of one of the last errors. Empty: none.
    """

    name: str
    url: str
    sent: int
    answered: int
    statuses: dict[str, int]
    errors: dict[str, int]
    hosts: dict[str, int]
    latency_ms: dict[str, float | None]
    latency_histogram: list[list[float]]
    timeline: list[Interval]
    bytes_received: int
    connections: int
    began: float
    elapsed: float
    last_error: str


class CheckedExpectation(TypedDict):
    """One expectation with its outcome.

    Attributes:
        ok: Whether the expectation holds.
        traffic: Name of the traffic whose responses it is about. Empty: it is about stats.
        name: Name of the expectation. Empty: none.
        subject: What is counted or measured.
        expected: Expected value as text.
        observed: Observed value as text.
        value: Observed number. Null: it is no number, or there is none.
        accepted: Lowest and highest number that hold; null in their place is no limit. Null: they are no range.
        message: Outcome in one line, with the response sample, near names of stats, or the failed reading.
    """

    ok: bool
    traffic: str
    name: str
    subject: str
    expected: str
    observed: str
    value: float | None
    accepted: list[float | None] | None
    message: str


class Phase(TypedDict):
    """One phase of the deployment.

    Attributes:
        name: Name of the phase.
        began: Time at which it began, in seconds since 1970.
        seconds: Duration in seconds.
    """

    name: str
    began: float
    seconds: float


class DeploymentOfRun(TypedDict):
    """The deployment that preceded the verification.

    Attributes:
        phases: Phases in the order of their beginning.
        started: Workloads that were started.
        restarted: Workloads that were restarted.
        removed: Workloads that were removed.
        replaced: How each replaced workload was replaced, by its name.
        confirmed: Time at which each running Envoy confirmed its new files, in seconds since 1970, by the name of the proxy.
        rolled_back: Whether the previous deployment was restored.
        traffic: Traffic that was sent during the deployment.
        expectations: Expectations about that traffic.
    """

    phases: list[Phase]
    started: list[str]
    restarted: list[str]
    removed: list[str]
    replaced: dict[str, str]
    confirmed: dict[str, float]
    rolled_back: bool
    traffic: list[SentTraffic]
    expectations: list[CheckedExpectation]


class Resource(TypedDict):
    """One resource of a configuration, without secrets.

    Attributes:
        name: Name of the resource, such as `listener http`.
        line: Line of the demo file that it comes from. Null: it is not from a single line.
        text: YAML of the resource.
    """

    name: str
    line: int | None
    text: str


class ConfigurationFile(TypedDict):
    """One file of a proxy's configuration.

    Attributes:
        proxy: Name of the proxy; of its first replica, if it has several.
        path: Path of the file, relative to the deployment folder.
        live: Whether the running Envoy applies changes of the file.
        resources: Resources of the file.
    """

    proxy: str
    path: str
    live: bool
    resources: list[Resource]


class DemoFile(TypedDict):
    """The demo file.

    Attributes:
        name: Name of the file.
        text: Text without secrets. Empty if the demo has sensitive files.
    """

    name: str
    text: str


class RunResult(TypedDict):
    """Everything that is known about one verified run.

    Attributes:
        schema: Version of this schema: 1. A later version can add keys; a changed or removed key changes the number.
        demo: Name of the demo.
        summary: Summary of the demo, or of its change.
        platform: Name of the platform.
        change: Name of the change that was deployed, with the number of its step in `canary/2`. Empty: none.
        ok: Whether all expectations hold.
        message: Why the run failed, if it failed before its expectations were checked. Empty: it did not.
        began: Time at which the run began, in seconds since 1970.
        elapsed: Duration of the verification in seconds.
        addresses: Addresses that a user can open.
        notes: Commands to try.
        topology: Boxes and arrows.
        parts: Where each box ran.
        connections: Numbers of the arrows.
        traffic: Traffic in the order in which it was sent.
        expectations: Expectations in the order of the demo file.
        reasons: Reasons of failed expectations: response flags, services without replicas, workloads that were not ready.
        deployment: Deployment that preceded. Null: none is known.
        configuration: Files of the proxies.
        file: The demo file.
        versions: Versions of the programs, by name.
        commands: Commands that repeat the run.
    """

    schema: int
    demo: str
    summary: str
    platform: str
    change: str
    ok: bool
    message: str
    began: float
    elapsed: float
    addresses: list[PublishedAddress]
    notes: list[str]
    topology: Topology
    parts: list[PartOfRun]
    connections: list[Connection]
    traffic: list[SentTraffic]
    expectations: list[CheckedExpectation]
    reasons: list[str]
    deployment: DeploymentOfRun | None
    configuration: list[ConfigurationFile]
    file: DemoFile
    versions: dict[str, str]
    commands: list[str]
