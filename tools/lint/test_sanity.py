# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the environment that ansible-test sanity gets."""

from __future__ import annotations

import re

import pytest
import sanity


def test_pip_versions_of_ansible_test_are_found() -> None:
    versions = sanity.pip_versions()
    assert versions
    assert all(re.fullmatch(r"[0-9.]+", version) for version in versions)


def test_environment_has_another_home_and_no_ansible_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_CONFIG", "/checkout/ansible.cfg")
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = sanity.environment()
    assert environment["HOME"] == str(sanity.HOME)
    assert environment["LANG"] == "C.UTF-8"
    assert "ANSIBLE_CONFIG" not in environment
