# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local platform without a supervisord, and what both platforms share."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles, File
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deployment import (
    DeployRequest,
    DeployResult,
    deploy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    PlatformRefused,
    with_last_lines,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.deploy import LocalDeployer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    sections,
    supervisord_conf,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.readiness import exit_reasons
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

A, B = (Workload(name=name, command=("sleep", "9")) for name in "ab")


def test_sections_are_told_apart() -> None:
    one, other = (sections(supervisord_conf("d", workloads)) for workloads in ([A], [A, B]))
    assert list(other) == ["a", "b"]
    assert one["a"] == other["a"]


def test_without_a_supervisord_everything_would_be_started(tmp_path: Path) -> None:
    (tmp_path / "supervisord.conf").write_text(supervisord_conf("d", [A]))
    deployer = LocalDeployer(DeploymentSpec("d", tmp_path, (A, B)))
    assert deployer.predict(supervisord_conf("d", [A, B])) == AppliedChanges(started=("a", "b"))
    assert deployer.running_workloads() == ()
    assert not deployer.is_deployed()


def test_the_last_ending_counts() -> None:
    log = [
        "2026-01-01 00:00:00,000 INFO exited: a (exit status 3; not expected)",
        "2026-01-01 00:00:01,000 INFO exited: b (terminated by SIGKILL; not expected)",
        "2026-01-01 00:00:02,000 INFO exited: a (exit status 0; expected)",
    ]
    assert exit_reasons(log) == {"a": "ended with exit code 0", "b": "was ended by SIGKILL"}


def test_last_words_are_few_and_short() -> None:
    said = with_last_lines(
        "a ended", ["", *(f"line {number}" for number in range(20)), "x" * 1000, "  "], "a.log"
    )
    lines = said.splitlines()
    assert lines[0] == "a ended. Last lines of its log (a.log):"
    assert (len(lines), lines[1], len(lines[-1])) == (9, "  line 13", 302)
    assert with_last_lines("a ended", ["", " "], "a.log") == "a ended. Its log is empty (a.log)."


def test_a_plan_without_its_document_is_refused(tmp_path: Path) -> None:
    request = DeployRequest(
        "d", "docker", tmp_path / "d", DesiredFiles((File("supervisord.conf", b""),)), (A,)
    )
    with pytest.raises(PlatformRefused, match=r"has no compose\.yaml, the document of the platform docker"):
        deploy(request, DeployResult())
    assert not (tmp_path / "d").exists()


def test_done_adds_up() -> None:
    done = DeployResult()
    done.add(AppliedChanges(started=("b",)))
    done.add(AppliedChanges(removed=("x",)))
    done.add(AppliedChanges(started=("a", "b"), removed=("x",)))
    assert (done.changed, done.started, done.removed) == (True, ("a", "b"), ("x",))
