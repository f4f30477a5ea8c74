# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the checks of a staged folder, with small programs instead of an Envoy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from config_transactions import deploy, python_check, text_file
from fake_docker_run import FakeDockerRun

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandResult,
    run,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check, DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.checks import (
    check_digest,
    run_checks,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.remedies import DEFAULT

IMAGE = "envoyproxy/envoy:v1.40.0"


@pytest.mark.parametrize(
    ("content", "mode", "message", "kind"),
    [
        (None, 0, "does not exist", RequirementMissing),
        ("#!/bin/sh\n", 0o644, "chmod", ConfigRefused),
        ("\x7fELF and no more", 0o755, "Choose an executable for this machine", ConfigRefused),
        (
            "#!/bin/sh\necho tool 3\n",
            0o755,
            "it is not an Envoy; `--version` printed 'tool 3'. Use an Envoy",
            ConfigRefused,
        ),
        (
            "#!/bin/sh\necho; echo 'x  version: 0a1b/1.39.2/Clean/RELEASE/BoringSSL'\n",
            0o755,
            "expected Envoy 1.40.0, got 1.39.2. Change the version or the program",
            ConfigRefused,
        ),
        ("#!/bin/sh\nkill -ILL $$\n", 0o755, "it was ended by signal 4. Use a build", ConfigRefused),
    ],
    ids=["missing", "not executable", "another machine", "no Envoy", "another version", "signal"],
)
def test_program_that_is_not_the_envoy_is_refused(
    folder: Path, tmp_path: Path, content: str | None, mode: int, message: str, kind: type[ConfigRefused]
) -> None:
    program = tmp_path / "envoy"
    if content is not None:
        program.write_text(content)
        program.chmod(mode)
    check = Check("edge", (str(program), "--mode", "validate"), version="1.40.0")
    with pytest.raises(kind, match=message):
        deploy(folder, DesiredFiles((text_file("edge/a"),), checks=(check,)))
    assert not (folder / "edge").exists()


def test_program_that_validates_without_output_is_refused(folder: Path) -> None:
    check = Check("edge", ("true", "--mode", "validate"))
    with pytest.raises(ConfigRefused, match=r"^true: it is not an Envoy; `--mode validate` printed nothing"):
        deploy(folder, DesiredFiles((text_file("edge/a"),), checks=(check,)))


def test_timeout_is_refused(tmp_path: Path) -> None:
    def slow(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> CommandResult:
        return CommandResult(124, "", "did not end within 60 s", timed_out=True)

    with pytest.raises(ConfigRefused, match=r"^envoy: did not end within 60 s. Reduce the load of the host"):
        run_checks([Check("edge", ("envoy",))], tmp_path, {}, [], True, slow)


def test_missing_shared_library_is_refused(tmp_path: Path) -> None:
    script = "echo 'error while loading shared libraries: libx.so: cannot open' >&2; exit 127"
    with pytest.raises(ConfigRefused, match=r"^sh: it cannot run on this host \(error while loading shared"):
        run_checks([Check("edge", ("sh", "-c", script))], tmp_path, {}, [], True, run)


def test_digest_depends_only_on_readable_files() -> None:
    check = Check("edge", ("true",), validated_files=("edge/a",))
    digest = check_digest(check, {"edge/a": b"1", "web/a": b"1"})
    assert digest == check_digest(check, {"edge/a": b"1", "web/a": b"2"})
    assert digest != check_digest(check, {"edge/a": b"2", "web/a": b"1"})


def test_digest_of_a_file_at_the_top_depends_on_all_files() -> None:
    check = Check("edge", ("true",), validated_files=("a",))
    assert check_digest(check, {"a": b"1", "web/a": b"1"}) != check_digest(check, {"a": b"1", "web/a": b"2"})


def test_each_check_has_its_own_result(tmp_path: Path) -> None:
    checks = [
        Check("good", ("sh", "-c", "true"), IMAGE),
        Check("bad", ("sh", "-c", "echo no; exit 1"), IMAGE, validated_files=("bad/a",)),
    ]
    with pytest.raises(ConfigRefused) as caught:
        run_checks(checks, tmp_path, {"bad/a": "x"}, [], True, FakeDockerRun())
    assert [(finding.check, finding.message) for finding in caught.value.findings] == [
        ("bad", f"no. {DEFAULT}")
    ]


def test_version_is_requested_once_in_the_same_container(tmp_path: Path) -> None:
    program = tmp_path / "envoy"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "version: 0a1b/1.39.0/Clean/RELEASE/BoringSSL"; exit 0\n'
    )
    program.chmod(0o755)
    docker = FakeDockerRun()
    checks = [Check(name, (str(program), name), IMAGE, version="1.40.0") for name in "abc"]
    with pytest.raises(
        ConfigRefused, match=r"in envoyproxy/envoy:v1\.40\.0: expected Envoy 1\.40\.0, got 1\.39\.0\."
    ):
        run_checks(checks, tmp_path, {}, [], True, docker)
    assert len(docker.commands) == 1
    assert docker.commands[0][-1].count("--version") == 1


def test_program_that_is_not_in_the_image_is_refused(tmp_path: Path) -> None:
    checks = [Check(name, ("/no/envoy", "--mode", "validate"), IMAGE) for name in "ab"]
    with pytest.raises(ConfigRefused, match=r"^envoyproxy/envoy:v1\.40\.0: /no/envoy is not in the image"):
        run_checks(checks, tmp_path, {}, [], True, FakeDockerRun())


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ("file /etc/page.bin does not exist", "/etc/page.bin"),
        ("Invalid path: /etc/none.lua", "/etc/none.lua"),
        ("Unable to open Maxmind database file /etc/geo.mmdb. Error Error opening", "/etc/geo.mmdb"),
        (
            "Failed to load dynamic module: libmine.so not found in any search path: ./libmine.so",
            "libmine.so",
        ),
    ],
)
def test_file_of_another_machine_is_a_warning(tmp_path: Path, output: str, path: str) -> None:
    """The messages are those of Envoy 1.40."""
    check = python_check(f"raise SystemExit({output!r})")
    with pytest.raises(ConfigRefused):
        run_checks([check], tmp_path, {}, [], False, run)
    assert run_checks([replace(check, elsewhere=True)], tmp_path, {}, [], False, run) == [
        f"edge: this host does not have {path}, so only the Envoy that runs the configuration validates it completely."
    ]


def test_other_fault_is_refused_for_another_machine(tmp_path: Path) -> None:
    check = replace(python_check("raise SystemExit('no such field: x')"), elsewhere=True)
    with pytest.raises(ConfigRefused, match="no such field: x"):
        run_checks([check], tmp_path, {}, [], False, run)
