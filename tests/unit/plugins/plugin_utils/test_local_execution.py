# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that run in the controller's process, and the conditions for that."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ValidationResult

from ansible_collections.meshlab.envoy.plugins.plugin_utils import _local_execution
from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import (
    LocalExecutionAction,
    runs_in_place,
    with_parsed_texts,
)


class Action(LocalExecutionAction):
    """An action whose result has the options, and whether a module ran it."""

    arguments = {"name": {"type": "str", "default": "web"}}  # noqa: RUF012
    perform = staticmethod(
        lambda options, check_mode: {"options": options, "check": check_mode, "diff": ["-"]}
    )

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        return {"sent": call["module_args"], "async": call["wrap_async"]}


def fake_action(
    kind: type[Action] = Action, transport: str = "local", become: bool = False, **task: Any
) -> Action:
    action = kind.__new__(kind)
    action._connection = SimpleNamespace(transport=transport)
    action._play_context = SimpleNamespace(become=become)
    defaults = {
        "args": {"name": "edge"},
        "async_val": 0,
        "environment": [],
        "check_mode": False,
        "diff": False,
        "action": "meshlab.envoy.action",
    }
    action._task = SimpleNamespace(**{**defaults, **task})
    action._load_name = "action"
    return action


def test_localhost_runs_in_process() -> None:
    action = fake_action()
    assert runs_in_place(action)
    assert action._run_in_process() == {"options": {"name": "edge"}, "check": False}


@pytest.mark.parametrize(
    "connection",
    [
        {"transport": "ssh"},
        {"transport": "community.docker.docker"},
        {"become": True},
        {"async_val": 60},
        {"environment": [{"DOCKER_HOST": "unix:///run/other.sock"}]},
    ],
    ids=str,
)
def test_other_connection_runs_the_module(connection: dict[str, Any]) -> None:
    action = fake_action(**connection)
    assert not runs_in_place(action)
    assert action._run_on_host({}) == {"sent": {"name": "edge"}, "async": "async_val" in connection}


def test_text_of_a_dictionary_is_parsed() -> None:
    options = {"plan": '{"name": "shop"}', "state": "{}", "cluster": "shop"}
    arguments = {"plan": {"type": "dict"}, "state": {"type": "str"}, "cluster": {"type": "dict"}}
    assert with_parsed_texts(options, arguments) == {**options, "plan": {"name": "shop"}}


def test_defaults_check_mode_and_diff_match_the_module() -> None:
    result = fake_action(args={}, check_mode=True, diff=True)._run_in_process()
    assert result == {"options": {"name": "web"}, "check": True, "diff": ["-"]}


class SecretAction(Action):
    """An action with a secret, and with two options of which a task has one."""

    arguments = {  # noqa: RUF012
        "password": {"type": "str", "no_log": True},
        "url": {"type": "str"},
        "cluster": {"type": "dict", "options": {"kubeconfig": {"type": "raw", "no_log": True}}},
    }
    exclusive = ("password", "url")


def test_secrets_are_removed_from_the_result() -> None:
    result = fake_action(SecretAction, args={"password": "hunter2"})._run_in_process()
    assert "hunter2" not in str(result)
    assert result["check"] is False


@pytest.mark.parametrize(("kubeconfig", "is_shown"), [("/etc/kube", True), ("{clusters: []}", False)])
def test_path_of_a_kubeconfig_is_no_secret(kubeconfig: str, is_shown: bool) -> None:
    options = {"url": "http://x", "cluster": {"kubeconfig": kubeconfig}}
    result = fake_action(SecretAction, args=options)._run_in_process()
    assert (kubeconfig in str(result)) == is_shown


@pytest.mark.parametrize("options", [{}, {"password": "hunter2", "url": "http://x"}], ids=len)
def test_exclusive_options_are_checked(options: dict[str, str]) -> None:
    with pytest.raises(AnsibleError, match=r"password|url"):
        fake_action(SecretAction, args=options)._run_in_process()


# In the second task, the secret is also the name of an unknown option.
@pytest.mark.parametrize("task", [{"nope": 1}, {"cluster": {"hunter2": 1}}], ids=str)
def test_wrong_arguments_are_refused_without_their_values(task: dict[str, Any]) -> None:
    task = {"password": "hunter2", **task}
    with pytest.raises(
        AnsibleActionFail, match=r"^Unsupported parameters for \(meshlab\.envoy\.action\)"
    ) as error:
        fake_action(SecretAction, args=task)._run_in_process()
    assert "hunter2" not in str(error.value)
    # Ansible prints the object of an error.
    assert error.value.obj is None


def test_relative_paths_are_below_the_folder_of_the_playbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FolderAction(Action):
        perform = staticmethod(lambda options, check_mode: {"folder": os.getcwd()})

    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    action = fake_action(FolderAction)
    action._loader = SimpleNamespace(get_basedir=lambda: str(tmp_path))
    assert action._run_in_process() == {"folder": str(elsewhere)}
    action.relative_to_playbook = True
    assert action._run_in_process() == {"folder": str(tmp_path)}
    assert Path.cwd() == elsewhere


def test_actions_share_the_function_of_their_module() -> None:
    names = ("demo_deploy", "demo_verify", "envoy_stats", "envoy_stats_info", "executable_info")
    for name in names:
        plugin, module = (
            import_module(f"ansible_collections.meshlab.envoy.plugins.{kind}.{name}")
            for kind in ("action", "modules")
        )
        assert plugin.ActionModule.arguments is module.ARGUMENTS
        assert plugin.ActionModule.perform is module.perform
        assert plugin.ActionModule.exclusive == getattr(module, "EXCLUSIVE", ())


def test_interruption_is_printed_by_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.meshlab.envoy.plugins.action.demo_deploy import ActionModule

    def perform(options: dict[str, Any], check_mode: bool, announce: Callable[[str], None]) -> dict[str, Any]:
        announce("edge: cannot hand over\x1b[31m")
        return {"shown": list(shown)}

    shown: list[str] = []
    action = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(check_mode=False, diff=False)
    action._display = SimpleNamespace(warning=shown.append)
    monkeypatch.setattr(ActionModule, "perform", staticmethod(perform))
    monkeypatch.setattr(
        _local_execution, "checked_arguments", lambda action, arguments, **rules: ValidationResult({})
    )
    assert action._run_in_process() == {"shown": ["edge: cannot hand over\\x1b[31m"]}


def test_deploy_sends_only_the_used_keys_of_a_plan() -> None:
    from ansible_collections.meshlab.envoy.plugins.action.demo_deploy import ActionModule

    action = ActionModule.__new__(ActionModule)
    plan = {"name": "shop", "files": [], "traffic": [1], "assertions": [2]}
    options = {"plan": plan, "timeout": 5}
    assert action.sent_options(options) == {"plan": {"name": "shop", "files": []}, "timeout": 5}
    assert action.sent_options({"state": "absent"}) == {"state": "absent"}


def test_progress_of_another_host_is_what_it_does() -> None:
    action = fake_action(transport="ssh")
    texts: list[str] = []
    action.shown = SimpleNamespace(update=texts.append)  # type: ignore[assignment]
    action.host_text = lambda: "deploying 5 workloads"  # type: ignore[method-assign]
    action._run_on_host({"inventory_hostname": "web1"})
    assert texts == ["deploying 5 workloads on web1"]
