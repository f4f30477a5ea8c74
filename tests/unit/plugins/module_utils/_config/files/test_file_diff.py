# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the differences between the host and the desired files, and how a diff shows them."""

from __future__ import annotations

from pathlib import Path

from config_transactions import deploy, text_file

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    SENSITIVE,
    DesiredFiles,
    Directory,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import (
    FileDifference,
    compare,
    restore,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import (
    FolderState,
    sha256,
)


def test_content_mode_and_directories_can_differ(folder: Path) -> None:
    desired = DesiredFiles((text_file("a"), text_file("b"), text_file("c")), (Directory("run", 0o755),))
    deploy(folder, desired)
    (folder / "a").write_text("by hand\n")
    (folder / "b").chmod(0o600)
    (folder / "run").chmod(0o700)
    transaction = deploy(folder, desired)
    assert transaction.changed_files() == ["a", "b"]
    assert transaction.diff[0] == {
        "before": "by hand\n",
        "after": "x\n",
        "before_header": "a (mode 0644)",
        "after_header": "a (mode 0644)",
    }
    assert transaction.diff[1]["before_header"] == "b (mode 0600)"
    assert transaction.diff[2]["after_header"] == "run/ (mode 0755)"
    assert not deploy(folder, desired).changed


def test_restored_file_has_its_previous_mode(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0o600)
    restore(tmp_path, FileDifference("a", b"x", 0o644, File("a", b"x", 0o600)))
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_edited_file_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"x")
    (tmp_path / "edited").write_bytes(b"by hand")
    state = FolderState({"own": [sha256(b"x")], "edited": [sha256(b"x")], "missing": [sha256(b"x")]})
    differences = compare(tmp_path, [], [], state, {})
    assert [difference.path for difference in differences.removed] == ["own"]
    assert differences.edited == ("edited",)


def test_symbolic_link_in_place_of_an_old_file_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "own").symlink_to("target")
    differences = compare(tmp_path, [], [], FolderState({"own": [sha256(b"x")]}), {})
    assert not differences
    assert differences.edited == ()


def test_hidden_content_differs_visibly() -> None:
    desired = File("edge/tls.key", b"new", shown_as="(a private key)")
    diff = FileDifference("edge/tls.key", b"old", 0o600, desired).ansible_diff
    assert (diff["before"], diff["after"]) == ("(a private key)\n", "(a private key)\n(a different one)\n")


def test_removed_key_is_not_shown() -> None:
    diff = FileDifference("edge/tls.key", b"secret", 0o600, None).ansible_diff
    assert (diff["before"], diff["after"]) == ("(not shown)\n", "")
    assert diff["after_header"] == "edge/tls.key (absent)"


def test_diff_hides_a_secret_before_during_and_after(folder: Path) -> None:
    secret = File("edge/bootstrap.yaml", b"secret: TOP\n", 0o600, shown_as=SENSITIVE)
    other = File("edge/bootstrap.yaml", b"secret: OTHER\n", 0o600, shown_as=SENSITIVE)
    plain = File("edge/bootstrap.yaml", b"plain\n")
    created = deploy(folder, DesiredFiles((secret,)))
    replaced = deploy(folder, DesiredFiles((other,)))
    dropped = deploy(folder, DesiredFiles((plain,)))
    assert created.diff[0]["after"] == "(sensitive, not shown)\n"
    assert replaced.diff[0]["after"] == "(sensitive, not shown)\n(a different one)\n"
    assert dropped.diff[0]["before"] == "(sensitive, not shown)\n"
    assert deploy(folder, DesiredFiles((text_file("edge/bootstrap.yaml"),))).diff[0]["before"] == "plain\n"


def test_diff_hides_a_removed_secret(folder: Path) -> None:
    deploy(folder, DesiredFiles((File("a", b"TOP", shown_as=SENSITIVE),)))
    assert deploy(folder, DesiredFiles()).diff[0]["before"] == "(sensitive, not shown)\n"


def test_diff_hides_a_private_key_that_was_added_by_hand(folder: Path) -> None:
    desired = DesiredFiles((text_file("edge/bootstrap.yaml"),))
    deploy(folder, desired)
    (folder / "edge/bootstrap.yaml").write_text("-----BEGIN PRIVATE KEY-----\nMIG\n")
    assert "MIG" not in str(deploy(folder, desired).diff)
