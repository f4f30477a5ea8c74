# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run all Molecule scenarios, and check that each step ran, because Molecule only warns about a playbook that does not exist.

The program prints a line for each finished step, and the complete output of Molecule if a step failed or did not run, because `make test`
runs other tests at the same time. The one argument is the folder of the scenarios. Each scenario runs converge, idempotence and
verify. Create and destroy can be steps of the scenario `default` instead, if the scenarios share their state.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from checkout import stop

OF_EACH_SCENARIO = ("converge", "idempotence", "verify")
SHARED = ("create", "destroy")
DONE = re.compile(r"^INFO +\[(?P<scenario>[^\]>]+) > (?P<step>[a-z_]+)\] Executed: Successful", re.MULTILINE)


def not_run(output: str, scenarios: Iterable[str]) -> list[str]:
    """Return the steps that Molecule's output does not report as successful."""
    done: set[tuple[str, str]] = set()
    for match in DONE.finditer(output):
        scenario, step = match["scenario"].strip(), match["step"]
        if step == "create":
            # A destroy before create removes leftovers of an earlier run.
            done.discard((scenario, "destroy"))
        done.add((scenario, step))
    missing = [
        f"{scenario} > {step}"
        for scenario in scenarios
        for step in OF_EACH_SCENARIO
        if (scenario, step) not in done
    ]
    missing += [
        f"{scenario} > {step}"
        for scenario in scenarios
        for step in SHARED
        if (scenario, step) not in done and ("default", step) not in done
    ]
    return missing


def main() -> int:
    """Run the scenarios, and return Molecule's exit status."""
    if len(sys.argv) != 2:
        stop("expected one argument: the folder of the scenarios")
    folder = Path(sys.argv[1]).resolve()
    scenarios = sorted(path.parent.name for path in folder.glob("*/molecule.yml"))
    if not scenarios:
        stop(f"{folder} has no scenario, which is a folder with a molecule.yml")
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)]),
        # not_run parses the output.
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }
    molecule = [str(binaries / "molecule")]
    # After an interrupted run, Molecule would skip create.
    subprocess.run(
        [*molecule, "reset", "--all"], cwd=folder.parent, env=environment, check=False, capture_output=True
    )
    process = subprocess.Popen(
        [*molecule, "test", "--all", "--report"],
        cwd=folder.parent,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines, done = [], 0
    for line in process.stdout:
        lines.append(line)
        if ended := DONE.match(line):
            done += ended["step"] in OF_EACH_SCENARIO
            of = f"{done} of {len(scenarios) * len(OF_EACH_SCENARIO)}"
            print(f"molecule: {ended['scenario'].strip()} > {ended['step']} ({of})", flush=True)
    status, printed = process.wait(), "".join(lines)
    missing = not_run(printed, scenarios)
    if status or missing:
        print(printed, end="", flush=True)
    if missing:
        stop(f"these steps failed or did not run: {', '.join(missing)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
