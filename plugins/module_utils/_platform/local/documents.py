# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of platform `local`: supervisord.conf.

`supervisord -c supervisord.conf` runs the demo without Ansible. Paths are relative to the document (`%(here)s`), so the
document contains no path of the host.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import (
    generation_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    EPOCH,
    start_prefix,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Workload,
    WorkloadError,
    check_names,
    ranks,
)

FILE = "supervisord.conf"
SOCKET = "supervisord.sock"
PIDFILE = "supervisord.pid"
LOGS = "logs"  # supervisord does not start without this folder
DIGEST = "MESHLAB_ENVOY_DIGEST"

HEAD = f"""\
; {{name}}: supervisord -c {FILE}; supervisorctl -c {FILE} status
[supervisord]
identifier = {{name}}
logfile = %(here)s/{LOGS}/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 2
childlogdir = %(here)s/{LOGS}
pidfile = %(here)s/{PIDFILE}
umask = 077

; Any process that can open this socket can run commands as its owner.
[unix_http_server]
file = %(here)s/{SOCKET}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://%(here)s/{SOCKET}
"""

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Where the configuration parser begins a comment, also inside quotes.
_COMMENT = re.compile(r"(?<=\s)[;#]")


def supervisord_conf(name: str, workloads: Sequence[Workload]) -> str:
    """Return the text of supervisord.conf.

    Args:
        name: The identifier of supervisord.
        workloads: The workloads, in any order.

    Raises:
        WorkloadError: A name, an argument or a variable has no syntax in supervisord.conf, or `after` has a wrong name.
    """
    check_names(workloads)
    rank = ranks(workloads)
    ordered = sorted(workloads, key=lambda workload: (rank[workload.name], workload.name))
    return "\n".join(
        [
            HEAD.format(name=_plain_name(name)),
            *(_program(workload, rank[workload.name]) for workload in ordered),
        ]
    )


def log_path(program: str) -> str:
    """Return the path of a program's log, relative to the state folder."""
    return f"{LOGS}/{program}.log"


def sections(document: str) -> dict[str, str]:
    """Return the section of each program of a supervisord.conf, by name of the program."""
    found: dict[str, str] = {}
    for section in document.split("\n[program:")[1:]:
        name, _bracket, text = section.partition("]")
        found[name] = text.strip()
    return found


def with_next_generation(document: str, program: str, following: str) -> str:
    """Return a supervisord.conf with another generation of an Envoy, which takes over from `program` with the same configuration.

    Args:
        document: The text of supervisord.conf, which has `program`.
        program: An Envoy that is replaced by hot restart, such as `edge.1`.
        following: The name of its new generation, such as `edge.3`.
    """
    section = sections(document)[program]
    # The last one is that of the Envoy: the words of `start_prefix` have the option too.
    option = [*re.finditer(rf"(?<= {EPOCH} ){generation_of(program)}(?=\s)", section)][-1]
    changed = f"{section[: option.start()]}{generation_of(following)}{section[option.end() :]}"
    changed = changed.replace(log_path(program), log_path(following))
    return document.replace(f"[program:{program}]\n{section}", f"[program:{following}]\n{changed}")


def _program(workload: Workload, rank: int) -> str:
    name = _plain_name(workload.program)
    environment = {**workload.environment, **({DIGEST: workload.digest} if workload.digest else {})}
    for key, value in environment.items():
        _check_variable(name, key, value)
    # The key `environment` has no escapes. `env` passes the values that it cannot represent.
    quotable = {key: value for key, value in environment.items() if _is_quotable(value)}
    unquotable = [f"{key}={value}" for key, value in environment.items() if key not in quotable]
    lines = [
        f"[program:{name}]",
        f"command = {_command(workload, unquotable)}",
        f"directory = {_percent(_directory(workload))}",
        *_environment(quotable),
        f"priority = {100 + 10 * rank}",
        "autostart = true",
        # An Envoy that has handed over ends with exit status 0, and stays ended.
        f"autorestart = {'unexpected' if start_prefix(workload.command) else 'true'}",
        "startsecs = 1",
        "startretries = 5",
        f"stopsignal = {workload.stop_signal}",
        f"stopwaitsecs = {workload.stop_seconds}",
        "stopasgroup = true",
        "killasgroup = true",
        "redirect_stderr = true",
        f"stdout_logfile = %(here)s/{log_path(name)}",
        "stdout_logfile_maxbytes = 1MB",
        "stdout_logfile_backups = 2",
    ]
    return "\n".join(lines) + "\n"


def _command(workload: Workload, variables: Sequence[str]) -> str:
    program, *arguments = workload.command
    for argument in workload.command:
        if "\n" in argument or "\r" in argument:
            raise WorkloadError(
                f"workload {workload.name}: supervisord does not support line breaks in arguments. Put the text in a file."
            )
    env = ["/usr/bin/env", *(_argument(variable) for variable in variables)] if variables else []
    prefix = map(_argument, start_prefix(workload.command))
    return " ".join(
        [*env, *prefix, _path(program, workload), *(_argument(argument) for argument in arguments)]
    )


def _path(program: str, workload: Workload) -> str:
    if program.startswith("~/"):
        return f'"%(ENV_HOME)s/{_in_double_quotes(program[2:])}"'
    if "/" in program and not program.startswith("/"):
        # supervisord resolves a relative program from its own working directory.
        return f'"{_percent(_directory(workload), quoted=True)}/{_in_double_quotes(program)}"'
    return _argument(program)


def _directory(workload: Workload) -> str:
    directory = workload.directory
    if directory.startswith("/"):
        return directory
    return "%(here)s" if directory in ("", ".") else f"%(here)s/{directory}"


def _percent(path: str, quoted: bool = False) -> str:
    """Escape the part of `path` after `%(here)s`."""
    here, rest = ("%(here)s", path[8:]) if path.startswith("%(here)s") else ("", path)
    return here + (_in_double_quotes(rest) if quoted else rest.replace("%", "%%"))


def _argument(text: str) -> str:
    # Adjacent strings are one argument. The empty one separates a ';' from the space before it.
    return _COMMENT.sub(lambda found: f"''{found[0]}", shlex.quote(text)).replace("%", "%%")


def _in_double_quotes(text: str) -> str:
    return _COMMENT.sub(lambda found: f'""{found[0]}', re.sub(r'(["\\])', r"\\\1", text)).replace("%", "%%")


def _environment(variables: Mapping[str, str]) -> list[str]:
    if not variables:
        return []
    pairs = [f"    {key}={_quoted(value)}" for key, value in sorted(variables.items())]
    return ["environment =", *(f"{pair}," for pair in pairs[:-1]), pairs[-1]]


def _quoted(value: str) -> str:
    return (f"'{value}'" if '"' in value else f'"{value}"').replace("%", "%%")


def _is_quotable(value: str) -> bool:
    """Return whether quotes around `value` preserve it: supervisord strips both kinds of quotes and has no escapes."""
    return not ("'" in value and '"' in value) and value.strip("'\"") == value and not _COMMENT.search(value)


def _check_variable(name: str, key: str, value: str) -> None:
    if not _VARIABLE.fullmatch(key):
        raise WorkloadError(
            f"workload {name}: invalid name '{key}' of an environment variable. Use letters, digits and '_'."
        )
    if "\n" in value or "\r" in value:
        raise WorkloadError(
            f"workload {name}: supervisord does not support line breaks in {key}. Put the text in a file."
        )


def _plain_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise WorkloadError(f"invalid name '{name}' of a program. Use letters, digits, '.', '_' and '-'.")
    return name
