# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity` on the files of the checkout, without ignores. The arguments are those of ansible-test.

ansible-test requires a folder whose path ends in ansible_collections/meshlab/envoy, so the program copies the files to one below build/.
The caches of ansible-test, an environment for each test, are there too: it writes nothing to the user's home.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from checkout import BUILD, exclusive, export, stop

# The tests that may be skipped, with the reason. Where CI=true, any other skipped test is an error.
MAY_BE_SKIPPED = {
    "pslint": "the collection has no PowerShell",
}
FOLDER = BUILD / "sanity"
HOME = FOLDER / "home"


def pip_versions() -> set[str]:
    """Return the versions of pip that this ansible-test installs into its environments."""
    import ansible_test  # type: ignore[import-untyped]

    source_path = Path(ansible_test.__path__[0], "_internal", "python_requirements.py")
    source = source_path.read_text(encoding="utf-8")
    found = set(re.findall(r"^\s*pip='([0-9.]+)',$", source, re.MULTILINE))
    if not found:
        stop(
            f"{source_path}: found no version of pip. Adapt pip_versions in tools/lint/sanity.py to this ansible-test."
        )
    return found


def write_pip_configuration() -> None:
    """Write pip's configuration, from files and PIP_* variables, to the other home, because ansible-test drops PIP_* variables."""
    pip = [sys.executable, "-m", "pip"]
    configuration = configparser.RawConfigParser()
    configuration.add_section("global")
    listed = subprocess.run(
        [*pip, "config", "list"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    # Variables take precedence over files, so they come first, and the first value of an option is used.
    for line in sorted(listed, key=lambda line: not line.startswith(":env:.")):
        name, value = line.split("=", 1)
        section, option = name.rsplit(".", 1)
        section = "global" if section == ":env:" else section
        if not configuration.has_section(section):
            configuration.add_section(section)
        if not configuration.has_option(section, option):
            configuration.set(section, option, ast.literal_eval(value))
    if not configuration.has_option("global", "cache-dir"):
        cache = subprocess.run(
            [*pip, "cache", "dir"], check=False, capture_output=True, text=True
        ).stdout.strip()
        if cache:
            configuration.set("global", "cache-dir", cache)
    path = HOME / ".pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    # The URL of an index can contain a password.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        configuration.write(file)


def environment() -> dict[str, str]:
    """Return the environment of the user with another home."""
    # shellcheck is in the same virtual environment as this Python.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    # These variables name files of the checkout, but ansible-test reads the copy.
    removed = ("ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH")
    return {
        **{name: value for name, value in os.environ.items() if name not in removed},
        "HOME": str(HOME),
        "PATH": path,
    }


def main() -> int:
    """Run the sanity tests, and return the exit status of ansible-test."""
    for path in sorted((BUILD.parent / "tests" / "sanity").glob("ignore*.txt")):
        if path.read_text(encoding="utf-8").strip():
            stop(
                f"{path.relative_to(BUILD.parent)}: the collection has no ignores. Fix the findings of the test instead."
            )
    collection = export(FOLDER)
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in pip_versions():
        shutil.copy2(
            Path(__file__).with_name("get_pip.py"), cache / f"get_pip_{version.replace('.', '_')}.py"
        )

    write_pip_configuration()

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [
        str(Path(sys.executable).with_name("ansible-test")),
        "sanity",
        "--color",
        "no",
        "--python",
        python,
        *sys.argv[1:],
    ]
    process = subprocess.Popen(
        command,
        cwd=collection,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=1,
    )
    assert process.stdout is not None
    skipped = []
    for line in process.stdout:
        print(line, end="", flush=True)
        match = re.search(
            r"Skipping (?:optional )?(?:sanity )?test[: ]+[\"']?([a-z0-9-]+)", line, re.IGNORECASE
        )
        if match and match.group(1) not in MAY_BE_SKIPPED:
            skipped.append(match.group(1))
    status = process.wait()
    if skipped and os.environ.get("CI") == "true":
        print(f"sanity.py: skipped tests are errors where CI=true: {', '.join(sorted(set(skipped)))}")
        return status or 1
    return status


if __name__ == "__main__":
    with exclusive(FOLDER):
        sys.exit(main())
