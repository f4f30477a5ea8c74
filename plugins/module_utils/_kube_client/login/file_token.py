# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token in a file, which the kubelet or another program renews while a task runs."""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.login.client_settings import (
    ClientSettings,
)

# Seconds between two readings, as in client-go (transport/token_source.go). The kubelet renews tokens minutes before their end.
READ_AGAIN_AFTER = 60.0


class FileToken:
    """The token of a file, for `refresh_api_key_hook`."""

    def __init__(self, path: str) -> None:
        """Read the file.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is empty or not text.
        """
        self._path = path
        self._token, self._read_at = self._read(), time.monotonic()

    def __call__(self, settings: ClientSettings) -> None:
        """Write the token into settings; the file is read again after a minute."""
        if time.monotonic() - self._read_at >= READ_AGAIN_AFTER:
            self._token, self._read_at = self._read(), time.monotonic()
        settings.api_key["BearerToken"] = f"Bearer {self._token}"

    def _read(self) -> str:
        token = Path(self._path).read_text(encoding="utf-8").strip()
        if not token:
            raise ValueError(f"{self._path} is empty")
        return token
