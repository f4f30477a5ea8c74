# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work is done in place only where the module would run on this very machine, as this user, to its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import LocalExecutionAction


class Action(LocalExecutionAction):
    """Says where it was done, and with which options."""

    arguments = {"name": {"type": "str", "default": "nobody"}}  # noqa: RUF012
    perform = staticmethod(
        lambda options, check_mode: {"options": options, "check": check_mode, "diff": ["-"]}
    )

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        return {"sent": call["module_args"]}


def action(transport: str = "local", become: bool = False, **task: Any) -> Action:
    made = Action.__new__(Action)
    made._connection = SimpleNamespace(transport=transport)
    made._play_context = SimpleNamespace(become=become)
    usual = {"args": {"name": "edge"}, "async_val": 0, "environment": [], "check_mode": False, "diff": False}
    made._task = SimpleNamespace(**{**usual, **task})
    made._load_name = "action"
    return made


def test_on_this_machine_it_is_done_in_place() -> None:
    one = action()
    assert one._is_local()
    assert one._run_in_process() == {"options": {"name": "edge"}, "check": False}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"transport": "ssh"},
        {"transport": "community.docker.docker"},
        {"become": True},
        {"async_val": 60},
        {"environment": [{"DOCKER_HOST": "unix:///run/other.sock"}]},
    ],
    ids=str,
)
def test_anywhere_else_it_is_a_module(elsewhere: dict[str, Any]) -> None:
    one = action(**elsewhere)
    assert not one._is_local()
    assert one._run_on_host({}) == {"sent": {"name": "edge"}}


def test_defaults_check_mode_and_diff_are_as_in_a_module() -> None:
    done = action(args={}, check_mode=True, diff=True)._run_in_process()
    assert done == {"options": {"name": "nobody"}, "check": True, "diff": ["-"]}


def test_the_actions_do_what_their_modules_do() -> None:
    from ansible_collections.meshlab.envoy.plugins.action import demo_deploy, demo_verify, executable_info
    from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy as workloads_module
    from ansible_collections.meshlab.envoy.plugins.modules import demo_verify as verify_module
    from ansible_collections.meshlab.envoy.plugins.modules import executable_info as program_module

    pairs = ((demo_verify, verify_module), (executable_info, program_module), (demo_deploy, workloads_module))
    for plugin, module in pairs:
        assert plugin.ActionModule.arguments is module.ARGUMENTS
        assert plugin.ActionModule.perform is module.perform
