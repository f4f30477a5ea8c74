# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz`: atheris feeds the parsers, guided by what they cover, for a bounded number of seconds each.

    fuzz.py SECONDS [TARGET…]

What it finds goes to build/fuzz/<target>. A case that fails is to be mended, and put into tests/fuzz/corpus/<target>, which the unit tests
replay.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> int:
    if sys.argv[1] == "--one":
        return one(sys.argv[2], sys.argv[3:])
    names = sys.argv[2:] or sorted(folder.name for folder in (HERE / "corpus").iterdir())
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
        command = [sys.executable, __file__, "--one", name, *options, str(found), str(HERE / "corpus" / name)]
        ran = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        runs = [line for line in ran.stderr.splitlines() if "number_of_executed_units" in line]
        print(
            f"{name:<16} {runs[-1].split()[-1] if runs else 0:>9} runs  {'FAILED' if ran.returncode else 'nothing found'}"
        )
        if ran.returncode:
            failed.append(name)
            print(ran.stderr[-3000:])
    return 1 if failed else 0


def one(name: str, options: list[str]) -> int:
    """One target, in a process of its own: libFuzzer ends it."""
    import atheris

    sys.path[:0] = [str(HERE), str(ROOT / ".venv" / "collections")]
    with atheris.instrument_imports(include=["ansible_collections"]):
        from targets import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
