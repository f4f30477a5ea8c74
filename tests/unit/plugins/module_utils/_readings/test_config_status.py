# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and rejections of dynamic resources."""

from __future__ import annotations

import json

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.config_status import (
    parse_config,
    rejected_updates,
)


def test_readings_are_versions_and_rejections_without_secrets() -> None:
    kind = "type.googleapis.com/envoy.admin.v3."
    secret = {
        "name": "key",
        "secret": {"tls_certificate": {"private_key": {"inline_string": "hidden"}}},
        "version_info": "3",
        "last_updated": "t",
    }
    data = {
        "configs": [
            {"@type": f"{kind}BootstrapConfigDump", "bootstrap": {"node": {"id": "hidden"}}},
            {
                "@type": f"{kind}ListenersConfigDump",
                "version_info": "v7",
                "dynamic_listeners": [
                    {
                        "name": "main",
                        "active_state": {
                            "version_info": "7",
                            "listener": {"name": "main"},
                            "last_updated": "t",
                        },
                    },
                    {
                        "name": "bad",
                        "error_state": {"details": "no such filter", "failed_configuration": {"x": "hidden"}},
                    },
                ],
            },
            {
                "@type": f"{kind}ClustersConfigDump",
                "dynamic_active_clusters": [
                    {"version_info": "2", "cluster": {"name": "web"}, "last_updated": "t"}
                ],
            },
            {"@type": f"{kind}SecretsConfigDump", "dynamic_active_secrets": [secret]},
        ]
    }
    readings = parse_config(data)
    assert (readings["lds.version_info"], readings["lds.bad.rejected"], readings["lds.bad.error"]) == (
        "v7",
        1,
        "no such filter",
    )
    assert (
        readings["lds.main.version_info"],
        readings["cds.web.version_info"],
        readings["sds.key.version_info"],
    ) == (
        "7",
        "2",
        "3",
    )
    # Envoy's dump has no version for other services.
    assert not {"rds.version_info", "sds.version_info", "cds.web.rejected", "cds.rejected"} & readings.keys()
    assert "hidden" not in json.dumps(readings)


def test_reason_of_a_rejection_has_no_secret() -> None:
    details = "no such field: {token: s3cret-s3cret}, header authorization: Bearer hidden-hidden"
    entry = {"name": "bad", "error_state": {"details": details}}
    data = {
        "configs": [
            {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [entry]}
        ]
    }
    error = parse_config(data)["lds.bad.error"]
    assert isinstance(error, str)
    assert error.startswith("no such field")
    assert "s3cret" not in error
    assert "hidden" not in error


def test_rejected_listener_that_occurs_twice_counts_once() -> None:
    failed = {"failed_configuration": {"name": "bad"}, "details": "no such filter"}
    active = {"name": "main", "active_state": {"version_info": "1", "listener": {"name": "main"}}}
    data = {
        "configs": [
            {
                "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
                "dynamic_listeners": [
                    active,
                    {"name": "bad", "error_state": failed},
                    {"error_state": failed},
                ],
            }
        ]
    }
    assert parse_config(data) == {
        "lds.version_info": "",
        "lds.resources": 1,
        "lds.main.version_info": "1",
        "lds.main.rejected": 0,
        "lds.bad.rejected": 1,
        "lds.bad.error": "no such filter",
    }


def test_rejected_updates_come_from_stats() -> None:
    readings = {
        "listener_manager.lds.update_rejected": 1,
        "cluster_manager.cds.update_rejected": 2,
        "http.a.rds.main.update_rejected": 3,
        "http.b.rds.main.update_rejected": 4,
        "http.b.scoped_rds.x.update_rejected": 100,
        "sds.key.update_rejected": 5,
        "cluster.web.update_rejected": 6,
        "something.else.update_rejected": 100,
    }
    counts = {"lds.rejected": 1, "cds.rejected": 2, "rds.rejected": 7, "sds.rejected": 5, "eds.rejected": 6}
    assert rejected_updates(readings) == counts
    assert set(rejected_updates({}).values()) == {0}
