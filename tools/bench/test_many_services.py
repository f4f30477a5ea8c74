# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the figures of many services."""

from __future__ import annotations

from many_services import first_figure, requested, unchanged_figure


def test_unchanged_bound_grows_with_the_services() -> None:
    figure = unchanged_figure("docker", 25, [2.0, 2.2, 2.1], [0.8, 0.8, 0.8])
    assert figure.ratio == 1.0
    assert figure.result == "within bound"
    assert unchanged_figure("docker", 20, [2.2], [0.8]).result == "MISSED"


def test_first_deployment_is_compared_with_plain_tools() -> None:
    figure = first_figure("kubernetes", 20, ([11.0, 13.0], [9.0, 11.0]), "kubectl apply")
    assert (figure.ratio, figure.unit) == (1.2, "× (kubectl apply)")


def test_requests_are_those_of_the_demo() -> None:
    assert requested(["http://a"]) == ["http://a/service/1?[1-33]", "http://a/service/2?[1-12]"]
