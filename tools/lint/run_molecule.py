# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs all Molecule scenarios, and sees that each step of each one ran: Molecule only warns about a playbook that is not there.

Each step that ended is a line, and all that Molecule said is there where something is wrong: it runs beside other tests in `make test`.
The one argument is the folder of the scenarios. The steps that every scenario takes itself are converge, idempotence and verify; create and
destroy may be those of the scenario `default`, which is who owns them where the scenarios share their state.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from checkout import stop

OWN = ("converge", "idempotence", "verify")
SHARED = ("create", "destroy")
DONE = re.compile(r"^INFO +\[(?P<scenario>[^\]>]+) > (?P<step>[a-z_]+)\] Executed: Successful", re.MULTILINE)


def not_run(output: str, scenarios: Iterable[str]) -> list[str]:
    """The steps that Molecule's output does not say to have ended well."""
    done: set[tuple[str, str]] = set()
    for match in DONE.finditer(output):
        scenario, step = match["scenario"].strip(), match["step"]
        if step == "create":
            # A destroy from before is that of leftovers.
            done.discard((scenario, "destroy"))
        done.add((scenario, step))
    missing = [
        f"{scenario} > {step}" for scenario in scenarios for step in OWN if (scenario, step) not in done
    ]
    missing += [
        f"{scenario} > {step}"
        for scenario in scenarios
        for step in SHARED
        if (scenario, step) not in done and ("default", step) not in done
    ]
    return missing


def main() -> int:
    if len(sys.argv) != 2:
        stop("takes one argument: the folder of the scenarios")
    folder = Path(sys.argv[1]).resolve()
    scenarios = sorted(path.parent.name for path in folder.glob("*/molecule.yml"))
    if not scenarios:
        stop(f"no scenario in {folder}")
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)]),
        # The output is read below.
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }
    molecule = [str(binaries / "molecule")]
    # What an earlier run that was broken off has left would make Molecule believe that create has been.
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
    lines = []
    for line in process.stdout:
        lines.append(line)
        if ended := DONE.match(line):
            print(f"molecule: {ended['scenario'].strip()} > {ended['step']}", flush=True)
    status, said = process.wait(), "".join(lines)
    missing = not_run(said, scenarios)
    if status or missing:
        print(said, end="", flush=True)
    if missing:
        stop(f"did not end well, or did not run at all: {', '.join(missing)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
