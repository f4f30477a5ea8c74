# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that a host needs and does not have is an error before anything is changed."""

from __future__ import annotations

import os
from pathlib import Path

from live import CACHE, Home


def path_without(program: str, folder: Path) -> str:
    """Return a PATH with each program of this machine's PATH except one."""
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for file in sorted(Path(directory).glob("*")):
            if file.name != program and not os.path.lexists(folder / file.name):
                (folder / file.name).symlink_to(file)
    return str(folder)


def test_demo_without_openssl_is_refused_before_any_change() -> None:
    home = Home("local")
    try:
        cache = home.folder / "cache"
        home.variables["deployment_cache"] = str(cache)
        home.environment["PATH"] = path_without("openssl", home.folder / "bin")
        demo = home.demo("front_proxy")
        error = home.play("site", ok=False, demo=demo).error
        sentence = f"localhost: the command openssl is in no folder of PATH, but it creates the certificates of {home.name('front_proxy')}."
        assert f"{sentence} Install openssl. Nothing was changed." in error
        assert not cache.exists()
        assert not home.state("front_proxy").exists()

        # In check mode it is a warning, because a role of the same play may install it.
        home.variables["deployment_cache"] = str(CACHE)
        assert "the command openssl" in home.play("site", "--check", demo=demo).words
        assert not home.state("front_proxy").exists()
    finally:
        home.close()
