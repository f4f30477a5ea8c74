# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the Python packages of servers are installed: a path or an image whose name has the digest of everything that is in it.

So demos with equal packages share them, and changed packages are another program, which replaces the previous one.
"""

from __future__ import annotations

import hashlib

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Packages

# The name of the images, without registry and tag.
REPOSITORY = "meshlab/packages"
# A part of the digest: change it when the same packages make another image or environment.
_RECIPE = "1"


def packages_environment(requirements: str, python: str, cache: str) -> Packages:
    """Return packages in a virtual environment below the folder `cache` of a host."""
    return Packages(requirements, python, f"{cache}/packages-{_digest(requirements, python)}")


def packages_image(requirements: str, base: str, registry: str) -> Packages:
    """Return packages in an image that is built from the image `base`."""
    prefix = f"{registry.rstrip('/')}/" if registry else ""
    return Packages(requirements, base, f"{prefix}{REPOSITORY}:{_digest(requirements, base)}")


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join([_RECIPE, *texts]).encode()).hexdigest()[:16]
