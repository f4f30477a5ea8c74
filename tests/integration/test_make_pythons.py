# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo` in a new copy of the checkout, with an empty home and a Python for which it installs the newest ansible-core.

The bill of materials of `make sbom` lists exactly the installed packages.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from checkout import export
from interpreters import interpreter
from live import Home
from packaging.utils import canonicalize_name


def test_make_demo_installs_what_the_bill_of_materials_lists(tmp_path: Path) -> None:
    home = Home("local")
    copy = export(tmp_path / "copy")
    demo = home.demo("front_proxy")

    def run(*command: str) -> str:
        ran = subprocess.run(
            command,
            cwd=copy,
            env=home.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    arguments = (f"PYTHON={interpreter('3.12')}", f"DEMO={demo}")
    try:
        assert "16 of 16 expectations hold" in run("make", "demo", *arguments)
        assert "[core 2.21." in run(str(copy / ".venv" / "bin" / "ansible"), "--version")
        run("make", "sbom", *arguments)
        bill = json.loads((copy / "build" / "sbom" / "local.cdx.json").read_text(encoding="utf-8"))
        listed = {
            (one["name"], one["version"])
            for one in bill["components"]
            if one["bom-ref"].startswith("controller/")
        }
        python = str(copy / ".venv" / "bin" / "python")
        installed = json.loads(
            run(python, "-m", "pip", "--disable-pip-version-check", "list", "--format", "json")
        )
        # Each virtual environment has pip.
        assert listed == {
            (canonicalize_name(one["name"]), one["version"]) for one in installed if one["name"] != "pip"
        }
    finally:
        if (copy / ".venv" / "bin" / "ansible-playbook").exists():
            run("make", "down", *arguments)
        home.close()
