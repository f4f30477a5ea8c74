# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module in the controller's process when the managed host is the controller itself.

To send a module to a host costs more than these modules' work: Ansible packs its code (0.4 s of CPU for a hundred files), starts
Python and compiles the code once more. On the controller the same function runs without that.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.validation import check_type_dict
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_result
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    kubeconfig_path,
)
from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import cached_imports
from ansible_collections.meshlab.envoy.plugins.plugin_utils._progress_lines import (
    ShownProgress,
    shown_progress,
)
from ansible_collections.meshlab.envoy.plugins.plugin_utils._worker_end import end_with_parent

Options = dict[str, Any]
Result = dict[str, Any]


class LocalExecutionAction(ActionBase):
    """An action whose module is the function `perform` with the argument spec `arguments`."""

    # The module's argument spec, and its function (options, check_mode, …) → result. A result with `failed` is a failure.
    arguments: dict[str, dict[str, Any]]
    perform: Callable[..., Result]
    # Options of which a task has exactly one.
    exclusive: tuple[str, ...] = ()
    # Whether relative paths are below the folder of the playbook, where Ansible runs a module with a local connection.
    relative_to_playbook = False

    # Shows what the task does while it runs; None for an action without `progress_title`.
    shown: ShownProgress | None = None

    @cached_imports()
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Result:
        """Return the module's result, from this process or from the managed host."""
        end_with_parent()
        result: Result = super().run(tmp, task_vars)
        self._task.args = with_parsed_texts(self._task.args, self.arguments)
        title = self.progress_title()
        with shown_progress(self, title, task_vars) if title else contextlib.nullcontext() as self.shown:
            performed = self._run_in_process() if runs_in_place(self) else self._run_on_host(task_vars)
        return result | printable_result(**performed)

    def progress_title(self) -> str:
        """Return the begin of each line about the progress; empty if the task is short."""
        return ""

    def host_text(self) -> str:
        """Return what a managed host does. No text reaches the controller before the module ends."""
        return ""

    def further_arguments(self) -> dict[str, Any]:
        """Return the arguments of the function that only the controller has."""
        return {}

    def sent_options(self, options: Options) -> Options:
        """Return the options to send to the managed host."""
        return options

    def is_sensitive(self, options: Options) -> bool:  # noqa: ARG002
        """Return whether the options have secrets, which the managed host must not log."""
        return False

    def _run_on_host(self, task_vars: dict[str, Any] | None) -> Result:
        options = self.sent_options(dict(self._task.args))
        if self.shown and task_vars:
            self.shown.update(f"{self.host_text()} on {task_vars['inventory_hostname']}")
        if not self.is_sensitive(options):
            wrap = bool(self._task.async_val)
            return dict(self._execute_module(module_args=options, task_vars=task_vars, wrap_async=wrap))
        no_log = self._task.no_log
        # Only while the module starts: it then writes no options to the syslog of the host. Its result has no other secrets.
        self._task.no_log = True
        try:
            result = dict(self._execute_module(module_args=options, task_vars=task_vars))
        finally:
            self._task.no_log = no_log
        result.pop("invocation", None)
        return result

    def _run_in_process(self) -> Result:
        exclusive = [self.exclusive] if self.exclusive else None
        validation = checked_arguments(
            self, self.arguments, mutually_exclusive=exclusive, required_one_of=exclusive
        )
        options = validation.validated_parameters
        gc.freeze()  # nothing that the worker has before its task becomes garbage
        in_folder = working_folder(self._loader.get_basedir()) if self.relative_to_playbook else None
        with in_folder or contextlib.nullcontext():
            result = type(self).perform(options, self._task.check_mode, **self.further_arguments())
        if not self._task.diff:
            result.pop("diff", None)
        return without_no_log_values(result, validation)


def checked_arguments(
    action: ActionBase, arguments: Mapping[str, Any], **rules: list[tuple[str, ...]] | None
) -> ValidationResult:
    """Return the arguments of a task with their types and defaults.

    `ActionBase.validate_argument_spec` prints the values of the arguments with an error, templates and vaulted texts included.

    Raises:
        AnsibleActionFail: An argument is wrong. The message has no value of an option with `no_log`.
    """
    task = action._task
    validation = ArgumentSpecValidator(arguments, **rules).validate(task.args)
    if validation.error_messages:
        message = remove_values(validation.errors.msg, validation._no_log_values)
        is_unknown = isinstance(validation.errors[0], UnsupportedError)
        raise AnsibleActionFail(
            f"Unsupported parameters for ({task.action}) module: {message}" if is_unknown else message
        )
    return validation


@contextlib.contextmanager
def working_folder(folder: str) -> Iterator[None]:
    """Change the working folder of this process, which runs one task, and change it back."""
    previous = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(previous)


def without_no_log_values(result: Result, validation: ValidationResult) -> Result:
    """Return a result without the values of options that have `no_log`, as a module prints it."""
    secrets = validation._no_log_values - {kubeconfig_path(validation.validated_parameters)}
    if not secrets:
        return result
    # Ansible replaces no truth value: `failed` and `changed` stay, even if "True" is a secret.
    kept = {key: value for key, value in result.items() if value is None or isinstance(value, bool)}
    cleaned: Result = remove_values(result, secrets)
    return cleaned | kept


def with_parsed_texts(options: Mapping[str, Any], arguments: Mapping[str, Mapping[str, Any]]) -> Options:
    """Return options in which the text of a dictionary is parsed as the module parses it. A wrong text stays for the module's error."""
    parsed = dict(options)
    for name, value in options.items():
        if isinstance(value, str) and arguments.get(name, {}).get("type") == "dict":
            with contextlib.suppress(TypeError):
                parsed[name] = check_type_dict(value)
    return parsed


def runs_in_place(action: ActionBase) -> bool:
    """Return whether the module of an action would run on this machine, as this user, in this environment, and to its end."""
    task = action._task
    return (
        action._connection.transport == "local"
        and not action._play_context.become
        and not task.async_val
        and not any(task.environment or ())
    )
