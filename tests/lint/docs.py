# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs antsibull-docs' lint on the documentation of the collection, with what it refers to.

On a copy of the checkout's files: antsibull-docs copies the folder that it is given, and a checkout holds virtual environments.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from checkout import BUILD, export

COMMAND = ("lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all")


def main() -> int:
    collection = export(BUILD / "docs-lint")
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        # It calls ansible-doc and ansible-galaxy.
        "PATH": os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "docs-lint"),
    }
    return subprocess.run(
        [binaries / "antsibull-docs", *COMMAND, *sys.argv[1:], "."], cwd=collection, env=environment
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
