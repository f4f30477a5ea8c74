# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the objects of a demo as a whole: pods, names and folders."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from manifest_objects import APP, objects, pod

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    WorkloadError,
)


def test_service_and_sidecar_are_one_pod() -> None:
    planned = objects()
    spec = pod(planned)
    assert [one["name"] for one in spec["containers"]] == ["app"]
    (sidecar,) = spec["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("envoy", "Always")
    assert planned["Deployment/my-demo-web-1"]["spec"]["replicas"] == 3


def test_equal_object_names_are_refused() -> None:
    one = replace(APP, name="a_b", group="a_b", network=None)
    with pytest.raises(WorkloadError, match="two groups have this name"):
        objects(one, replace(one, name="a-b", group="a-b"))


def test_long_object_name_is_refused() -> None:
    one = replace(APP, name="w" * 60, group="w" * 60, network=None)
    with pytest.raises(WorkloadError, match="the name has 68 characters, but Kubernetes allows 63"):
        objects(one)


def test_manifest_has_files_as_readable_lines() -> None:
    text = "# first\nlisteners: []\n"
    assert to_yaml({"data": {"l.yaml": text}}) == "data:\n  l.yaml: |\n    # first\n    listeners: []\n"
    for odd in ("\n", " a\nb", "a \nb\n", "a\nb", "a\n\n", "a\tb\nc", "a\x07\nb", ""):
        assert yaml.safe_load(to_yaml({"data": odd})) == {"data": odd}
