# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of tests/lab/kubectl: the program that it runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).with_name("kubectl")


def kubectl(tmp_path: Path, program: Path) -> subprocess.CompletedProcess[str]:
    # With another HOME the cache is empty, so any other program would have to be built.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MESHLAB_KUBECTL": str(program)}
    return subprocess.run(
        [SCRIPT, "get", "pods", "-A"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_kubectl_runs_the_program_of_meshlab_kubectl(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho "$KUBECONFIG: $*"\n')
    program.chmod(0o755)
    ran = kubectl(tmp_path, program)
    kubeconfig = tmp_path / ".local/state/meshlab.envoy/lab/kubernetes/kubeconfig"
    assert (ran.returncode, ran.stdout) == (0, f"{kubeconfig}: get pods -A\n"), ran.stderr


def test_kubectl_fails_when_meshlab_kubectl_does_not_exist(tmp_path: Path) -> None:
    ran = kubectl(tmp_path, tmp_path / "missing")
    assert ran.returncode == 1
    expected = f"lab: {tmp_path}/missing does not run: No such file or directory. Set MESHLAB_KUBECTL to a kubectl, or unset it.\n"
    assert ran.stderr == expected
