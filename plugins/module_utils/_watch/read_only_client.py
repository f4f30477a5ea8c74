# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of an admin interface that can read five pages and change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.http_response import (
    HttpResponse,
    StopWhen,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

# Pages without a path below them: a POST to /stats/recentlookups/enable, for example, changes an Envoy.
PAGES = frozenset(("/stats", "/clusters", "/listeners", "/server_info"))


@dataclass
class ReadOnlyAdminClient(AdminClient):
    """An admin client that sends only GET, and only of PAGES. It refuses any other request before a connection is opened."""

    async def request(
        self, path: str, method: str = "POST", stop_when: StopWhen | None = None
    ) -> HttpResponse:
        """Return the response to a GET of one of PAGES. Raises ScrapeError for any other request."""
        page = path.partition("?")[0]
        if method != "GET" or page not in PAGES:
            message = f"{method} {page} is not sent; a live view sends only GET of {', '.join(sorted(PAGES))}"
            raise ScrapeError("http_status", message)
        return await super().request(path, method, stop_when)
