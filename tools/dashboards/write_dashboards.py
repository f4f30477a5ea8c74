# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the Grafana dashboards in playbooks/files/dashboards. With --check, report stale and superfluous files.

The packages are those of requirements/dashboards.txt, which the program installs into build/dashboards.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools" / "release"))

import pinned_packages  # noqa: E402

REQUIREMENTS = ROOT / "requirements" / "dashboards.txt"
PACKAGES = Path(os.environ.get("MESHLAB_DASHBOARDS") or ROOT / "build" / "dashboards")
FOLDER = ROOT / "playbooks" / "files" / "dashboards"


def main() -> None:
    """Write the files, or compare them with the definitions."""
    sys.path.insert(0, str(installed_packages()))
    texts = dashboard_texts()
    if "--check" in sys.argv[1:]:
        found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*")}
        stale = sorted(name for name in texts.keys() | found.keys() if texts.get(name) != found.get(name))
        if stale:
            names = ", ".join(stale)
            raise SystemExit(
                f"{FOLDER.relative_to(ROOT)}: {names}: differs from tools/dashboards. Run `make dashboards`."
            )
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*"):
        path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def dashboard_texts() -> dict[str, str]:
    """Return the text of each file by name."""
    from cluster_dashboard import CLUSTER_DASHBOARD
    from edge_dashboard import EDGE
    from fleet_dashboard import FLEET
    from grafana_json import grafana_json
    from services_dashboard import SERVICES
    from statsd_dashboard import STATSD

    return {
        f"{data.name}.json": grafana_json(data) for data in (EDGE, SERVICES, CLUSTER_DASHBOARD, STATSD, FLEET)
    }


def installed_packages() -> Path:
    """Return the folder of the packages of requirements/dashboards.txt, which are installed if the folder is missing."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    return pinned_packages.installed(REQUIREMENTS, PACKAGES / f"packages-{digest}")


if __name__ == "__main__":
    main()
