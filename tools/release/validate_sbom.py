# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate bills of materials against the schema of CycloneDX. The Python of .venv-release runs this program."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion  # type: ignore[import-not-found]
from cyclonedx.validation.json import JsonStrictValidator  # type: ignore[import-not-found]


def main() -> None:
    """Validate the files of the arguments."""
    for name in sys.argv[1:]:
        text = Path(name).read_text(encoding="utf-8")
        version = SchemaVersion.from_version(json.loads(text)["specVersion"])
        if (error := JsonStrictValidator(version).validate_str(text)) is not None:
            sys.exit(f"{name}: is no valid CycloneDX document: {error}")


if __name__ == "__main__":
    main()
