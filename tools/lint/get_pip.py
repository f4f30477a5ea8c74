# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install pip into an empty virtual environment, in place of get-pip.py, with nothing but Python and a package index.

`ansible-test sanity` creates an environment for each of its tests, and downloads get-pip.py from another host to install pip there, unless
its cache has a copy. A network can have a package index but block that host, so sanity.py puts this file into the cache. The file runs the
pip of Python's ensurepip, and installs the version of pip that ansible-test requires from the configured package index. The result is the
same environment.

The arguments are those of get-pip.py: `get_pip.py [pip's options] pip==<version> [--no-setuptools] [--no-wheel]`.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> None:
    """Install the packages that the command line names."""
    # This program never installs setuptools or wheel unless a requirement names them, so it ignores the options of get-pip.py.
    requirements = [
        argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")
    ]
    pip = [sys.executable, "-m", "pip"]
    # In another process, because ensurepip disables pip's configuration in its own process.
    subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*pip, "install", "--quiet", "--upgrade", *requirements], check=True)
    # The ensurepip of Python 3.11 also installs setuptools. The import test must find modules that need it without a dependency.
    if (
        subprocess.run([*pip, "show", "--quiet", "setuptools"], check=False, capture_output=True).returncode
        == 0
    ):
        subprocess.run([*pip, "uninstall", "--quiet", "--yes", "setuptools"], check=True)


if __name__ == "__main__":
    main()
