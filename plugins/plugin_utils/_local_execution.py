# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's work in the controller's own process where the managed host is this very machine.

Handing a module to a host costs more than these modules' work: packing its code (0.4 s of CPU for a hundred files), a Python to start and
the packed code to compile once more. None of that is needed where the host is here, and the same function does the work either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.plugins.action import ActionBase

Options = dict[str, Any]
Result = dict[str, Any]


class HereOrThereAction(ActionBase):
    """An action whose module is `perform` over `arguments`: done here where that is the same, else on the host."""

    # The module's argument spec, and its work: (options, check_mode) → result; a result with `failed` is a failure.
    arguments: dict[str, dict[str, Any]]
    perform: Callable[[Options, bool], Result]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        return result | (self._here() if self._is_here() else self._there(task_vars))

    def _there(self, task_vars: dict[str, Any] | None) -> Result:
        return dict(self._execute_module(module_args=self.sent(dict(self._task.args)), task_vars=task_vars))

    def sent(self, options: Options) -> Options:
        """Return the options that the host needs."""
        return options

    def _here(self) -> Result:
        _checked, options = self.validate_argument_spec(argument_spec=self.arguments)
        result = type(self).perform(options, self._task.check_mode)
        if not self._task.diff:
            result.pop("diff", None)
        return result

    def _is_here(self) -> bool:
        """Whether the module would run on this machine, as this user, in this environment, and to its end."""
        task = self._task
        return (
            self._connection.transport == "local"
            and not self._play_context.become
            and not task.async_val
            and not any(task.environment or ())
        )
