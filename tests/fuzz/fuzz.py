# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz the parsers with atheris, guided by coverage, for a number of seconds each. `make fuzz` runs this program.

    fuzz.py SECONDS [TARGET…]

Failing inputs go to build/fuzz/<target>. After a fix, add the input to tests/fuzz/corpus/<target>, which the unit tests replay.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]


def main() -> int:
    """Fuzz the targets one after the other, and return 1 if one failed."""
    if sys.argv[1] == "--one":
        return fuzz(sys.argv[2], sys.argv[3:])
    names = sys.argv[2:] or sorted(folder.name for folder in (FOLDER / "corpus").iterdir())
    failed = []
    for name in names:
        found = ROOT / "build" / "fuzz" / name
        found.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_total_time={int(sys.argv[1])}",
            "-timeout=5",
            "-rss_limit_mb=1024",
            "-max_len=16384",
            "-print_final_stats=1",
            f"-artifact_prefix={found}/failed-",
        ]
        command = [
            sys.executable,
            __file__,
            "--one",
            name,
            *options,
            str(found),
            str(FOLDER / "corpus" / name),
        ]
        ran = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        runs = [line for line in ran.stderr.splitlines() if "number_of_executed_units" in line]
        print(
            f"{name:<16} {runs[-1].split()[-1] if runs else 0:>9} runs  {'FAILED' if ran.returncode else 'no failure'}"
        )
        if ran.returncode:
            failed.append(name)
            print(ran.stderr[-3000:])
    return 1 if failed else 0


def fuzz(name: str, options: list[str]) -> int:
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris

    sys.path[:0] = [str(FOLDER), str(ROOT / ".venv" / "collections")]
    with atheris.instrument_imports(include=["ansible_collections"]):
        from targets import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
