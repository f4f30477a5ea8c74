# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the desired files that the options of envoy_config describe."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_options import (
    ARGUMENTS,
    CERTIFICATE,
    ENVOY,
    FILE,
    PROXY,
    desired_files,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused


def with_defaults(spec: dict[str, dict[str, Any]], keys: dict[str, Any]) -> dict[str, Any]:
    return {key: option.get("default") for key, option in spec.items()} | keys


def desired(proxies: list[dict[str, Any]] | None = None, **options: Any) -> DesiredFiles:
    files = options.pop("files", [{"path": f"edge/{name}.yaml"} for name in ("listeners", "clusters")])
    return desired_files(
        with_defaults(
            ARGUMENTS,
            {
                "folder": "/x",
                "files": [with_defaults(FILE, {"content": "x"} | file) for file in files],
                "proxies": [with_defaults(PROXY, proxy) for proxy in proxies or []],
                "envoy": with_defaults(ENVOY, options.pop("envoy", {})),
                **options,
            },
        )
    )


EDGE = {
    "name": "edge",
    "listeners": "edge/listeners.yaml",
    "clusters": "edge/clusters.yaml",
    "admin": "http://127.0.0.1:9901",
}


def test_listeners_are_written_after_clusters() -> None:
    assert [file.path for file in desired([EDGE]).files] == ["edge/clusters.yaml", "edge/listeners.yaml"]


@pytest.mark.parametrize(("admin", "live"), [("http://127.0.0.1:9901", "edge"), (None, None)])
def test_watched_files_are_live_only_with_an_admin(admin: str | None, live: str | None) -> None:
    assert {file.live for file in desired([{**EDGE, "admin": admin}]).files} == {live}


def test_check_validates_the_candidate_of_a_proxy() -> None:
    (check,) = desired([{**EDGE, "candidate": "c"}], envoy={"executable": "/bin/envoy"}).checks
    assert check.command[:3] == ("/bin/envoy", "--mode", "validate")
    assert (check.files[0].path, check.files[0].content) == ("candidate-of-edge.yaml", b"c")
    assert check.validated_files == ("edge/listeners.yaml", "edge/clusters.yaml")


def test_candidate_path_has_only_safe_characters() -> None:
    (check,) = desired([{"name": "../a b"}]).checks
    assert check.files[0].path == "candidate-of----a-b.yaml"


def test_image_runs_the_envoy_of_the_image() -> None:
    (check,) = desired([EDGE], envoy={"image": "envoy:1", "version": "1.40.0"}).checks
    assert (check.command[0], check.image, check.version) == ("envoy", "envoy:1", "1.40.0")


def test_no_check_without_validation() -> None:
    assert desired([EDGE], validate=False).checks == ()


def test_sensitive_file_is_hidden_in_diffs() -> None:
    (file,) = desired(files=[{"path": "a", "sensitive": True}]).files
    assert file.shown_as == "(sensitive, not shown)"


def test_certificates_have_the_stated_days() -> None:
    certificate = with_defaults(CERTIFICATE, {"path": "certs", "names": ["edge"], "renew_days": 5})
    (found,) = desired(certificates=[certificate]).certificates
    assert (found.days, found.renew_days, found.mode) == (365, 5, 0o600)


@pytest.mark.parametrize(
    ("proxies", "message"),
    [
        ([EDGE, EDGE], "proxies: the name 'edge' is used 2 times. Give each proxy its own name."),
        (
            [{"name": "edge", "bootstrap": "b.yaml"}],
            "proxies.edge.bootstrap: 'b.yaml' is not a path of 'files'. Add the file, or correct the path.",
        ),
    ],
)
def test_contradicting_proxies_are_refused(proxies: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        desired(proxies)
    assert caught.value.message == message


def test_file_without_text_is_refused() -> None:
    with pytest.raises(ConfigRefused, match=r"^a: the file has no text. Use the action plugin"):
        desired(files=[{"path": "a", "content": {"not": "text"}}])
