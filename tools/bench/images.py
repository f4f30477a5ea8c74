# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the compose projects that the collection is measured against."""

ENVOY = "envoyproxy/envoy:v1.40.0"
PYTHON = "python:3.11-slim-bookworm"
