# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts pip into an empty virtual environment: a stand-in for get-pip.py that needs nothing but Python and a package index.

`ansible-test sanity` makes an environment for each of its tests, and downloads get-pip.py from a host of its own to put pip into it. Where
a copy is in its cache it takes that. Not every network that has a package index lets that host through, so sanity.py puts this file there:
it starts from the pip that every Python brings (ensurepip), and lets that one install exactly what it was asked for, the pip version that
ansible-test wants, from the package index that pip is configured with. The result is the same environment.

Called as get-pip.py is: `get_pip.py [pip's options] pip==<version> [--no-setuptools] [--no-wheel]`.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> None:
    # Options of get-pip.py itself. Nothing is installed here that was not asked for, so they ask for what is so anyway.
    wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
    pip = [sys.executable, "-m", "pip"]
    # A process of its own: it turns pip's configuration off for the process that it is in.
    subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*pip, "install", "--quiet", "--upgrade", *wanted], check=True)
    # Python 3.11's ensurepip brings setuptools too. The import test is there to find modules that need what is not theirs: so it goes.
    if (
        subprocess.run([*pip, "show", "--quiet", "setuptools"], check=False, capture_output=True).returncode
        == 0
    ):
        subprocess.run([*pip, "uninstall", "--quiet", "--yes", "setuptools"], check=True)


if __name__ == "__main__":
    main()
