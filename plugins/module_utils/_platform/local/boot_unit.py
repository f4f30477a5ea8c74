# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The systemd user unit that starts a demo after a reboot, as text. Source of facts: systemd.unit(5) and systemd.service(5)."""

from __future__ import annotations

WANTED_BY = "default.target"


def unit_name(demo: str) -> str:
    """Return the name of a demo's unit, and of its file in the state folder."""
    return f"meshlab-envoy-{demo}.service"


def unit_text(demo: str, folder: str, supervisord: str, document: str) -> str:
    """Return the text of the unit.

    Args:
        demo: The name of the demo.
        folder: The state folder, absolute or below `~/`.
        supervisord: The supervisord executable: an absolute path, a path below `~/`, or a name.
        document: The name of supervisord's configuration file in `folder`.
    """
    return f"""\
# Starts the demo when the user's systemd manager starts: at boot with `loginctl enable-linger`, otherwise at login.
[Unit]
Description=Envoy demo {demo} (meshlab.envoy)

[Service]
ExecStart={_word(supervisord)} --nodaemon --configuration {_word(f"{folder}/{document}")}
Restart=on-failure
# supervisord stops its programs, each within its own time.
KillMode=mixed
TimeoutStopSec=60

[Install]
WantedBy={WANTED_BY}
"""


def _word(path: str) -> str:
    """Return one argument of ExecStart. `%h` is the home directory of the user."""
    home, rest = ("%h/", path[2:]) if path.startswith("~/") else ("", path)
    escaped = rest.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{home}{escaped}"'
