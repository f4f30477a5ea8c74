# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of a change, with checks that are small commands instead of an Envoy."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import FolderTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Admin,
    Certificate,
    Check,
    DesiredFiles,
    Directory,
    File,
    mode_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    UpdateCounts,
    XdsMonitor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import Transaction, prepare


def file(path: str, content: str = "x\n", mode: int = 0o644) -> File:
    return File(path, content.encode(), mode)


def deploy(folder: Path, wanted: DesiredFiles) -> Transaction:
    with prepare(folder, wanted) as change:
        if change.changed:
            change.write()
            change.go_live()
            change.finish()
        return change


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "parent" / "folder"


def test_files_and_folders_are_there_with_their_modes_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        wanted = DesiredFiles(
            (file("a/b/c", mode=0o644), file("d", mode=0o600)), (Directory("a/run", 0o1777),)
        )
        assert deploy(folder, wanted).changed
    finally:
        os.umask(before)
    modes = {
        path: (folder / path).stat().st_mode & 0o7777 for path in ("", "a", "a/b", "a/b/c", "d", "a/run")
    }
    assert modes == {"": 0o700, "a": 0o755, "a/b": 0o755, "a/b/c": 0o644, "d": 0o600, "a/run": 0o1777}
    assert not deploy(folder, wanted).changed


def test_content_mode_and_folders_that_differ_are_changes(folder: Path) -> None:
    wanted = DesiredFiles((file("a"), file("b"), file("c")), (Directory("run", 0o755),))
    deploy(folder, wanted)
    (folder / "a").write_text("by hand\n")
    (folder / "b").chmod(0o600)
    (folder / "run").chmod(0o700)
    change = deploy(folder, wanted)
    assert change.changed_files() == ["a", "b"]
    assert change.diff[0] == {
        "before": "by hand\n",
        "after": "x\n",
        "before_header": "a (mode 0644)",
        "after_header": "a (mode 0644)",
    }
    assert change.diff[1]["before_header"] == "b (mode 0600)"
    assert change.diff[2]["after_header"] == "run/ (mode 0755)"
    assert not deploy(folder, wanted).changed


def test_only_what_was_written_before_is_removed(folder: Path) -> None:
    deploy(
        folder,
        DesiredFiles(
            (file("keep"), file("gone/deep/a"), file("edited"), file("shared/b")), (Directory("run"),)
        ),
    )
    (folder / "edited").write_text("by hand")
    (folder / "foreign").write_text("not mine")
    (folder / "shared/foreign").write_text("not mine")
    change = deploy(folder, DesiredFiles((file("keep"),)))
    assert change.changed_files() == ["gone/deep/a", "shared/b"]
    assert change.warnings == ["edited is not wanted any more, and was edited since; it stays."]
    visible = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.name.startswith(".")
    }
    assert visible == {"keep", "edited", "foreign", "shared", "shared/foreign"}


def test_without_its_manifest_nothing_is_removed(folder: Path) -> None:
    deploy(folder, DesiredFiles((file("a"), file("b"))))
    (folder / ".files.json").write_text("{not json")
    deploy(folder, DesiredFiles((file("a"),)))
    assert (folder / "b").exists()


def test_the_admin_socket_that_a_proxy_left_goes_with_its_folder(folder: Path) -> None:
    deploy(folder, DesiredFiles((file("a"),), (Directory("edge/run"),)))
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "edge/run/s"))
    deploy(folder, DesiredFiles((file("a"),)))
    assert not (folder / "edge/run").exists()


@pytest.mark.parametrize(
    "path", ["../a", "/a", "a/../b", "", ".", "a/", "./a", ".staging/a", ".files.json", "ca/ca.key", "a\0b"]
)
def test_paths_that_leave_the_folder_or_are_taken_are_refused(path: str) -> None:
    with pytest.raises(ConfigRefused):
        DesiredFiles((file(path),))
    with pytest.raises(ConfigRefused):
        DesiredFiles(directories=(Directory(path),))


def test_a_path_twice_or_as_file_and_folder_is_refused() -> None:
    with pytest.raises(ConfigRefused, match="twice"):
        DesiredFiles((file("a"), file("a")))
    with pytest.raises(ConfigRefused, match="a folder for a/b"):
        DesiredFiles((file("a"), file("a/b")))


@pytest.mark.parametrize("link", ["edge", "edge/a"])
def test_symlinks_are_not_followed(folder: Path, tmp_path: Path, link: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_text("mine")
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(tmp_path / ("outside" if link == "edge" else "outside/a"))
    with pytest.raises(ConfigRefused, match="symlink"):
        deploy(folder, DesiredFiles((file("edge/a"),)))
    assert (tmp_path / "outside/a").read_text() == "mine"


def test_what_is_in_the_way_is_told(folder: Path) -> None:
    (folder / "a").mkdir(parents=True)
    (folder / "b").write_text("")
    with pytest.raises(ConfigRefused, match="folder on this host"):
        deploy(folder, DesiredFiles((file("a"),)))
    with pytest.raises(ConfigRefused, match="file on this host"):
        deploy(folder, DesiredFiles((file("b/c"),)))


@pytest.mark.parametrize("mode", ["644x", "0o644", 420, "9999", ""])
def test_modes_are_octal_and_in_quotes(mode: str | int) -> None:
    with pytest.raises(ConfigRefused, match="0644"):
        mode_of(mode)


def check(
    script: str, *files: File, name: str = "edge", validated_files: tuple[str, ...] = ("edge/a",)
) -> Check:
    return Check(name, (sys.executable, "-c", script), files=files, validated_files=validated_files)


LOOK = (
    "import os; assert open('edge/a').read() == 'x\\n'; assert open('edge/candidate').read() == 'c\\n';"
    "assert os.stat('.').st_mode & 0o777 == 0o755; assert os.stat('..').st_mode & 0o777 == 0o700;"
    "assert os.path.exists('edge/certs/tls.key'); assert not os.path.exists('ca/ca.key')"
)


def test_checks_see_a_complete_private_copy_which_is_gone_afterwards(folder: Path) -> None:
    looks = check(LOOK, file("edge/candidate", "c\n"))
    wanted = DesiredFiles(
        (file("edge/a"),), certificates=(Certificate("edge/certs", ("edge",)),), checks=(looks,)
    )
    deploy(folder, wanted)
    assert not (folder / ".staging").exists()
    assert not (folder / "edge/candidate").exists()


def test_a_failed_check_changes_nothing_and_all_failures_are_told(folder: Path) -> None:
    deploy(folder, DesiredFiles((file("edge/a", "old\n"),)))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    checks = tuple(check(f"print('bad {name}'); raise SystemExit(1)", name=name) for name in ("one", "two"))
    with pytest.raises(ConfigRefused, match=r"(?s)one: .*bad one.*\ntwo: .*bad two.*\nNothing was changed"):
        deploy(folder, DesiredFiles((file("edge/a"), file("edge/b")), checks=checks))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def counting(folder: Path) -> str:
    return f"open({str(folder.parent / 'count')!r}, 'a').write('x')"


def test_what_passed_is_not_checked_again_until_it_changes(folder: Path) -> None:
    folder.parent.mkdir()
    count = folder.parent / "count"

    def wanted(content: str, other: str = "", candidate: str = "c") -> DesiredFiles:
        one = check(counting(folder), file("edge/candidate", candidate))
        return DesiredFiles((file("edge/a", content), file("other/a", other)), checks=(one,))

    deploy(folder, wanted("1"))
    deploy(folder, wanted("1"))
    deploy(folder, wanted("1", other="changed"))
    assert count.read_text() == "x"
    deploy(folder, wanted("2"))
    assert count.read_text() == "xx"
    assert not deploy(folder, wanted("2", other="", candidate="d")).changed_files("edge")
    assert count.read_text() == "xxx"


def test_a_failed_check_is_run_again(folder: Path) -> None:
    folder.parent.mkdir()
    wanted = DesiredFiles((file("edge/a"),), checks=(check(counting(folder) + "; raise SystemExit(1)"),))
    for _attempt in range(2):
        with pytest.raises(ConfigRefused):
            deploy(folder, wanted)
    assert (folder.parent / "count").read_text() == "xx"


@pytest.mark.parametrize(
    ("content", "mode", "words", "kind"),
    [
        (None, 0, "does not exist", RequirementMissing),
        ("#!/bin/sh\n", 0o644, "chmod", ConfigRefused),
        ("\x7fELF and no more", 0o755, "Choose an executable for this machine", ConfigRefused),
        (
            "#!/bin/sh\necho tool 3\n",
            0o755,
            "is not an Envoy: asked for its version it says 'tool 3'",
            ConfigRefused,
        ),
        (
            "#!/bin/sh\necho; echo 'x  version: 0a1b/1.39.2/Clean/RELEASE/BoringSSL'\n",
            0o755,
            "is Envoy 1.39.2",
            ConfigRefused,
        ),
        ("#!/bin/sh\nkill -ILL $$\n", 0o755, "signal 4", ConfigRefused),
    ],
)
def test_a_program_of_the_wrong_kind_is_told(
    folder: Path, tmp_path: Path, content: str | None, mode: int, words: str, kind: type[ConfigRefused]
) -> None:
    program = tmp_path / "envoy"
    if content is not None:
        program.write_text(content)
        program.chmod(mode)
    one = Check("edge", (str(program), "--mode", "validate"), version="1.40.0")
    with pytest.raises(kind, match=words):
        deploy(folder, DesiredFiles((file("edge/a"),), checks=(one,)))
    assert not (folder / "edge").exists()


def test_a_program_that_validates_everything_without_a_word_is_no_envoy(folder: Path) -> None:
    one = Check("edge", ("true", "--mode", "validate"))
    with pytest.raises(ConfigRefused, match="asked to validate it says nothing"):
        deploy(folder, DesiredFiles((file("edge/a"),), checks=(one,)))


def test_check_mode_writes_nothing_and_checks_all_the_same(folder: Path) -> None:
    good, bad = check(""), check("raise SystemExit('no')")
    with prepare(folder, DesiredFiles((file("edge/a"),), checks=(good,)), check_mode=True) as change:
        assert change.changed
    with pytest.raises(ConfigRefused):
        prepare(folder, DesiredFiles((file("edge/a"),), checks=(bad,)), check_mode=True)
    with prepare(
        folder, DesiredFiles((file("a"),), checks=(Check("e", ("/no/envoy",)),)), check_mode=True
    ) as change:
        assert change.warnings == [
            "Not validated: /no/envoy does not exist. Install it, or correct its path."
        ]
    assert not folder.exists()


def test_one_run_at_a_time(folder: Path) -> None:
    with (
        prepare(folder, DesiredFiles((file("a"),))),
        pytest.raises(ConfigRefused, match=f"process {os.getpid()}"),
    ):
        prepare(folder, DesiredFiles((file("a"),)))
    assert deploy(folder, DesiredFiles((file("a"),))).changed


def test_a_watched_file_with_one_name_twice_is_refused(folder: Path) -> None:
    twice = File("edge/listeners.yaml", b"resources:\n- name: a\n- name: a\n", live="edge")
    with pytest.raises(ConfigRefused, match="line 3: there is a 'a' already"):
        deploy(folder, DesiredFiles((twice,)))


def test_a_change_that_its_proxy_did_not_confirm_is_made_again(folder: Path) -> None:
    live = File("edge/listeners.yaml", b"resources: []\n", live="edge")
    deploy(folder, DesiredFiles((live,)))
    data = json.loads((folder / ".files.json").read_text())
    (folder / ".files.json").write_text(json.dumps({**data, "unconfirmed": ["edge/listeners.yaml"]}))
    assert deploy(folder, DesiredFiles((live,))).changed_files() == ["edge/listeners.yaml"]
    assert not deploy(folder, DesiredFiles((live,))).changed


class Elsewhere(FolderTarget):
    """A place of which the folder has a copy only: what its Envoy reads is in `given`."""

    def __init__(self, folder: Path, runs: bool, **given: bytes) -> None:
        super().__init__(folder, XdsMonitor(AdminClient("unix:///nonexistent")))
        self.runs, self.given = runs, given

    def is_running(self) -> bool:
        return self.runs

    def read(self, path: str) -> bytes | None:
        return self.given.get(Path(path).stem)

    def write(self, path: str, content: bytes, mode: int) -> None:
        super().write(path, content, mode)
        self.given[Path(path).stem] = content

    def update_counts(self, kind: str) -> UpdateCounts:
        return UpdateCounts(0, 0)

    def confirm(
        self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
    ) -> str:
        return "no" if b"refused" in self.given["listeners"] else ""

    def rejected_since(self, kind: str, before: UpdateCounts) -> str:
        return ""

    def wait_until_drained(self, deadline: float) -> bool:
        return True


LISTENERS = "edge/listeners.yaml"


def at(folder: Path, place: Elsewhere, content: bytes) -> Transaction:
    wanted = DesiredFiles((File(LISTENERS, content, live="edge"),), admins=(Admin("edge", "http://nowhere"),))
    with prepare(folder, wanted, targets={"edge": place}) as change:
        if change.changed:
            change.write()
            change.go_live()
            change.finish()
        return change


def test_what_is_watched_elsewhere_is_compared_and_put_there_and_the_folder_has_a_copy(folder: Path) -> None:
    place = Elsewhere(folder, True, listeners=b"resources: []\n")
    new = b"resources:\n- name: new\n"
    change = at(folder, place, new)
    assert change.diff[0]["before"] == "resources: []\n"
    assert (place.given["listeners"], (folder / LISTENERS).read_bytes()) == (new, new)
    assert not at(folder, place, new).changed
    place.given["listeners"] = b"by hand\n"
    assert at(folder, place, new).changed_files() == [LISTENERS]
    assert place.given["listeners"] == new
    with pytest.raises(ConfigRefused, match="the running Envoy says: no"):
        at(folder, place, b"resources:\n- name: refused\n")
    assert (place.given["listeners"], (folder / LISTENERS).read_bytes()) == (new, new)


def test_what_nobody_runs_elsewhere_is_only_written_for_whoever_starts_it(folder: Path) -> None:
    place = Elsewhere(folder, False)
    assert at(folder, place, b"resources: []\n").changed
    assert (place.given, (folder / LISTENERS).read_bytes()) == ({}, b"resources: []\n")


def version(text: str) -> DesiredFiles:
    """Two files, and one of this version alone; large enough to be seen half written."""
    files = [file(path, text * 9000) for path in ("p0/a", "p0/b")] + [file(f"only-{text}/x", "x")]
    passes = Check("p0", ("true",), files=(file("p0/candidate", "c"),), validated_files=("p0/a",))
    return DesiredFiles(tuple(files), (Directory("run", 0o777),), (), (passes,))


def killed_at(moment: int, folder: Path, wanted: DesiredFiles) -> bool:
    """Deploy in a process of its own that kills itself before the `moment`th thing that it does to a file."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, _arguments: object) -> None:
            nonlocal seen
            if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"):
                seen += 1
                if seen == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        with contextlib.suppress(BaseException):
            sys.addaudithook(count)
            deploy(folder, wanted)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_killed_at_any_moment_no_half_file_is_ever_seen_and_the_next_run_converges(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A killed process loses nothing that it handed to the kernel.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    deploy(folder, version("0"))
    moment = 0
    while killed_at(moment := moment + 1, folder, version("1")):
        for path in folder.glob("p0/[ab]"):
            assert path.read_text() in ("0" * 9000, "1" * 9000), moment
        deploy(folder, version("2"))
        left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert left == {"p0/a", "p0/b", "only-2/x", ".files.json", ".lock"}, moment
        assert [path.name for path in folder.glob("only-*")] == ["only-2"], moment
        deploy(folder, version("0"))
    assert moment > 40
