# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Deployment with a native sidecar, for unit tests of comparisons and changes of objects."""

from __future__ import annotations

from typing import Any

SIDECAR = {"name": "envoy", "image": "e:1", "restartPolicy": "Always"}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d-a", "labels": {"x": "y"}},
    "spec": {
        "replicas": 2,
        "template": {
            "metadata": {"labels": {"x": "y"}},
            "spec": {
                "serviceAccountName": "d",
                "initContainers": [SIDECAR],
                "containers": [
                    {
                        "name": "app",
                        "image": "a:1",
                        "args": [],
                        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
                    }
                ],
                "volumes": [
                    {
                        "name": "edge",
                        "projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]},
                    }
                ],
            },
        },
    },
}
POD_SPEC: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
