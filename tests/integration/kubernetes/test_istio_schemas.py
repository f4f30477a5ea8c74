# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dry runs of the Istio objects of all demos, on an API server with Istio's CustomResourceDefinitions."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from cluster_home import PLATFORMS, ClusterHome, kubectl
from istio_documents import as_list, istio_objects_of, istio_objects_of_gallery

# The lab's cluster has the schemas of Istio.
pytestmark = pytest.mark.lab


def dry_run(home: ClusterHome, objects: list[dict[str, Any]]) -> tuple[int, str]:
    """Return the exit status and the messages of a dry run, in which an unknown field is an error."""
    done = kubectl(
        home,
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"),
        given=json.dumps(as_list(objects)),
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("platform", PLATFORMS)
def test_schemas_accept_objects_of_all_demos(home: ClusterHome, platform: str) -> None:
    found = istio_objects_of_gallery(platform)
    assert {"canary", "canary half", "front_proxy", "front_proxy scaled"} <= found.keys()
    for name, objects in found.items():
        status, output = dry_run(home, objects)
        assert status == 0, f"{name}: {output}"
        assert output.count("serverside-applied (server dry run)") == len(objects), output


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        ("Gateway", {"servrs": []}, "servrs"),
        ("VirtualService", {"http": [{"route": [{"destination": {}}]}]}, "host"),
        ("PeerAuthentication", {"mtls": {"mode": "MUTUAL"}}, 'Unsupported value: "MUTUAL"'),
        ("DestinationRule", {"host": 1}, "host"),
    ],
)
def test_schemas_refuse_wrong_objects(home: ClusterHome, kind: str, wrong: Any, message: str) -> None:
    thing = copy.deepcopy(next(one for one in istio_objects_of("canary") if one["kind"] == kind))
    thing["spec"].update(wrong)
    status, output = dry_run(home, [thing])
    assert status != 0
    assert message in output
