# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy, verify, change and remove demos, several at a time, and print a table of the results. `make demos` runs this program.

No two demos use the same port, so any demos can run at the same time. The program plays one platform after the other. It prints a line
for each result at once, and a table at the end. A demo that is already deployed is not played. The exit status is 0 if all
expectations of all demos hold.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

from demo_runs import PLAYBOOKS, Gallery, Played, print_line, runnable_demos

SIGNAL_DELAY = 0.2  # seconds until the program handles a signal


def table(results: list[Played], platforms: list[str], elapsed: float) -> str:
    """Return the final table: a line for each demo on each platform, and a line for each platform."""
    ordered = sorted(results, key=lambda one: (one.demo, platforms.index(one.platform)))
    played = [one for one in ordered if not one.unsupported_on or one.failed]
    rows = [("demo", "platform", "expectations", "held", "changes", "seconds")]
    rows += [
        (one.demo, one.platform, str(one.expectations), str(one.held), str(one.changes), f"{one.seconds:.1f}")
        for one in played
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    suffix = {one.platform: f" on {one.platform}" if len(platforms) > 1 else "" for one in results}
    lines += [
        f"{one.demo} was not played{suffix[one.platform]}: {one.unsupported_on}"
        for one in ordered
        if one not in played
    ]
    lines.append("")
    for platform in platforms:
        on_platform = [one for one in played if one.platform == platform]
        passed = sum(not one.failed for one in on_platform)
        held, number = sum(one.held for one in on_platform), sum(one.expectations for one in on_platform)
        lines.append(
            f"{passed} of {len(on_platform)} demos, {held} of {number} expectations hold on {platform}"
        )
    lines[-1] += f", in {elapsed:.0f} s."
    return "\n".join(lines)


def remaining(done: int, total: int, elapsed: float) -> str:
    """Return how many demos are left, and about how long they take if they take as long as those before; empty for none.

    Example:
        >>> remaining(20, 60, 130.0), remaining(59, 60, 300.0), remaining(60, 60, 300.0)
        (' (40 left, about 4 min)', ' (1 left, about 5 s)', '')
    """
    left = total - done
    seconds = elapsed / done * left
    time_left = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    return f" ({left} left, about {time_left})" if left else ""


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments before the first `--`, and those after it, which are for ansible-playbook."""
    position = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:position], arguments[position + 1 :]


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Return the parsed options of the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--platform",
        action="append",
        help="a folder of inventories/, local by default; can be repeated",
    )
    parser.add_argument("--inventory", help="an inventory in place of that of the platform")
    parser.add_argument("--jobs", type=int, default=3, help="number of demos that run at the same time (3)")
    parser.add_argument(
        "--ansible-playbook", default="ansible-playbook", help="path of the program (ansible-playbook)"
    )
    parser.add_argument("--no-changes", action="store_true", help="leave out the demos' changes")
    parser.add_argument("--strict", action="store_true", help="fail a demo whose program is not installed")
    parser.add_argument(
        "--json", help="a file for the results as JSON; {platform} in its name stands for each platform"
    )
    parser.add_argument("demos", nargs="*", help="names or paths; the whole gallery by default")
    options = parser.parse_args(arguments)
    options.platform = list(dict.fromkeys(options.platform or ["local"]))
    options.demos = options.demos or runnable_demos()
    if len(options.platform) > 1:
        if options.inventory:
            parser.error("--inventory needs exactly one --platform")
        if options.json and "{platform}" not in options.json:
            parser.error(
                "--json needs {platform} in the name of the file, because there are several platforms"
            )
    return options


def played_on(gallery: Gallery, demos: list[str], jobs: int, report: Callable[[Played], None]) -> None:
    """Play demos in parallel, and report each result.

    Raises:
        KeyboardInterrupt: The program is interrupted. All demos are removed, or reported as not removed.
    """
    waiting, futures = list(demos), []
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            # The first demo runs alone, because it installs the programs that all demos run.
            played = None
            while waiting and (played is None or played.unsupported_on):
                futures.append(pool.submit(gallery.play, waiting.pop(0)))
                [played] = as_done(futures[-1:])
                report(played)
            futures += (rest := [pool.submit(gallery.play, demo) for demo in waiting])
            for done in as_done(rest):
                report(done)
        except KeyboardInterrupt:
            print_line("\nStopping: removing the deployed demos.")
            gallery.stop()
            pool.shutdown(cancel_futures=True)
            left = [one.result() for one in futures if not one.cancelled()]
            for one in left:
                for step, output in one.failed:
                    if step == "teardown":
                        print_line(f"✘ {one.demo} is not removed:\n{output}")
            raise


def as_done(futures: list[Future[Played]]) -> Iterator[Played]:
    """Yield results as they come. Each wait is short, because Python can miss a signal at the start of a wait until its end."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=SIGNAL_DELAY, return_when=FIRST_COMPLETED)
        yield from (one.result() for one in done)


def main() -> int:
    """Play the demos, print and write the results, and return the exit status."""
    own, arguments = split(sys.argv[1:])
    options = options_of(own)
    # Both signals remove the deployed demos.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    began, results = time.monotonic(), []
    total = len(options.demos) * len(options.platform)

    def report(played: Played) -> None:
        results.append(played)
        left = remaining(len(results), total, time.monotonic() - began)
        print_line(f"[{len(results)}/{total}] {played.line}{left}")

    try:
        for platform in options.platform:
            inventory = options.inventory or str(PLAYBOOKS.parent / "inventories" / platform)
            played_on(Gallery(platform, inventory, options, arguments), options.demos, options.jobs, report)
    except KeyboardInterrupt:
        return 130
    for played in results:
        for step, output in played.failed:
            print_line(f"\n✘ {played.demo} on {played.platform}, {step}:\n{output}")
    for platform in options.platform if options.json else ():
        path = Path(options.json.replace("{platform}", platform))
        path.parent.mkdir(parents=True, exist_ok=True)
        found = [asdict(one) for one in results if one.platform == platform]
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print_line(f"\n{table(results, options.platform, time.monotonic() - began)}")
    return 1 if any(one.failed for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
