# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the report of the last run of a demo again, from its JSON file and without a network. `make report` runs this program."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".venv" / "collections"))

from ansible_collections.meshlab.envoy.plugins.module_utils._common.report_options import (
    DEFAULT_FORMS,
    FORMS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_files import (
    default_folder,
    last_result,
    shown_path,
    write_reports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_forms import (
    UnknownResult,
    read_result,
)


def main(arguments: list[str] | None = None) -> int:
    """Write the report, print its URL, and return the exit status."""
    parser = argparse.ArgumentParser(description="Build the report of the last run of a demo again.")
    parser.add_argument("demo", help="name of the demo, or path of its file")
    parser.add_argument("--platform", default="", help="platform of the run; by default the last run on any")
    parser.add_argument("--form", action="append", choices=FORMS, help="form of the report; html by default")
    parser.add_argument("--folder", type=Path, default=default_folder(), help="folder of the reports")
    options = parser.parse_args(arguments)
    path = last_result(options.folder, Path(options.demo).stem, options.platform)
    if path is None:
        where = f" on {options.platform}" if options.platform else ""
        print(
            f"{options.folder}: no result of {Path(options.demo).stem}{where}. Run `make demo DEMO={options.demo}` first.",
            file=sys.stderr,
        )
        return 1
    try:
        result = read_result(path.read_text(encoding="utf-8"), str(path))
        for written in write_reports(result, options.form or DEFAULT_FORMS, options.folder):
            print(shown_path(written))
    except (UnknownResult, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
