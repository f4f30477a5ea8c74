# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""supervisord.conf, compared with what supervisord's own parser reads from it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    LOGS,
    log_path,
    sections,
    supervisord_conf,
    with_next_generation,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload, WorkloadError

options = pytest.importorskip("supervisor.options")

# Values with comments, quotes, expansions, spaces at the ends and backslashes.
HARD = [
    "plain",
    "",
    "two words",
    " spaces ",
    "a ;b",
    "a #b",
    ";a",
    "#a",
    "100%",
    "%(here)s %(ENV_HOME)s %%",
    'print "hi"',
    "it's",
    "'",
    '"',
    "'quoted'",
    '"quoted"',
    "both \" and '",
    "C:\\new \\ ;x",
    "$HOME `id` $(id)",
    "a,b=c,d",
    '{"json": [1, \'x\'], "y": "%s ; #"}',
    "grüße ☃",
]


def _read(folder: Path, text: str) -> Any:
    (folder / LOGS).mkdir(exist_ok=True)
    (folder / "supervisord.conf").write_text(text, encoding="utf-8")
    read = options.ServerOptions()
    read.realize(["--configuration", str(folder / "supervisord.conf")])
    return read


def _programs(folder: Path, *workloads: Workload) -> dict[str, Any]:
    read = _read(folder, supervisord_conf("demo", workloads))
    return {config.name: config for group in read.process_group_configs for config in group.process_configs}


def _argv_and_environment(config: Any) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and variables of the program, after supervisord and `env`."""
    argv, environment = shlex.split(config.command), dict(config.environment)
    if argv[0] == "/usr/bin/env":
        argv.pop(0)
        while "=" in argv[0]:
            key, _sign, value = argv.pop(0).partition("=")
            environment[key] = value
    return argv, environment


@pytest.mark.parametrize("value", HARD)
def test_arguments_and_variables_arrive_unchanged(tmp_path: Path, value: str) -> None:
    workload = Workload(
        name="app", command=("/bin/app", value, "last"), environment={"BEFORE": "x", "VALUE": value, "Z": "1"}
    )
    argv, environment = _argv_and_environment(_programs(tmp_path, workload)["app"])
    assert argv == ["/bin/app", value, "last"]
    assert environment == {"BEFORE": "x", "VALUE": value, "Z": "1"}


def test_plain_values_are_written_plainly() -> None:
    workload = Workload(
        name="app", command=("envoy", "--config-path", "app/x.yaml"), environment={"A": "1", "B": "two words"}
    )
    text = supervisord_conf("demo", [workload])
    assert "command = envoy --config-path app/x.yaml\n" in text
    assert 'environment =\n    A="1",\n    B="two words"\n' in text


@pytest.mark.parametrize(
    ("program", "directory", "expected"),
    [
        ("~/my bin/app", ".", "{home}/my bin/app"),
        ("bin/app", "service", "{here}/service/bin/app"),
        ("./app", "", "{here}/./app"),
        ("/opt/100% ;x/app", ".", "/opt/100% ;x/app"),
        ("app", ".", "app"),
    ],
)
def test_program_path_is_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, directory: str, expected: str
) -> None:
    home = tmp_path / "ho me"
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "fol der").mkdir()
    config = _programs(tmp_path / "fol der", Workload(name="app", command=(program,), directory=directory))[
        "app"
    ]
    assert shlex.split(config.command) == [expected.format(home=home, here=tmp_path / "fol der")]
    assert config.directory == str(tmp_path / "fol der" / directory).rstrip("/.")


def test_files_are_private_and_below_the_folder(tmp_path: Path) -> None:
    read = _read(tmp_path, supervisord_conf("demo", [Workload(name="a", command=("true",))]))
    assert read.configroot.supervisord.pidfile == str(tmp_path / "supervisord.pid")
    assert read.configroot.supervisord.logfile == str(tmp_path / "logs/supervisord.log")
    assert read.configroot.supervisord.umask == 0o077
    (server,) = read.configroot.supervisord.server_configs
    assert (server["file"], server["chmod"]) == (str(tmp_path / "supervisord.sock"), 0o600)
    config = read.process_group_configs[0].process_configs[0]
    assert config.stdout_logfile == str(tmp_path / log_path("a"))
    assert config.uid is None
    assert str(tmp_path) not in supervisord_conf("demo", [Workload(name="a", command=("true",))])


def test_process_group_is_stopped_and_restarts_are_limited(tmp_path: Path) -> None:
    config = _programs(tmp_path, Workload(name="a", command=("true",), stop_signal="INT", stop_seconds=3))[
        "a"
    ]
    assert (config.stopasgroup, config.killasgroup, config.redirect_stderr) == (True, True, True)
    assert (config.stopsignal, config.stopwaitsecs) == (2, 3)
    assert (config.startsecs, config.startretries) == (1, 5)


def test_after_gives_the_priority(tmp_path: Path) -> None:
    first, last = Workload(name="z", command=("true",)), Workload(name="a", command=("true",), after=("z",))
    configs = _programs(tmp_path, last, first)
    assert configs["z"].priority < configs["a"].priority
    assert supervisord_conf("d", [last, first]) == supervisord_conf("d", [first, last])


def test_other_digest_changes_the_program(tmp_path: Path) -> None:
    one, same, other = (
        _programs(tmp_path, Workload(name="a", command=("true",), digest=digest))["a"]
        for digest in ("1", "1", "2")
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("workload", "text"),
    [
        (
            Workload(name="a", command=("sh", "-c", "a\nb")),
            "workload a: supervisord does not support line breaks in arguments",
        ),
        (
            Workload(name="a", command=("sh",), environment={"A": "a\nb"}),
            "workload a: supervisord does not support line breaks in A",
        ),
        (
            Workload(name="a", command=("sh",), environment={"A-B": ""}),
            "workload a: invalid name 'A-B' of an environment variable",
        ),
        (Workload(name="a b", command=("sh",)), "invalid name 'a b' of a program"),
    ],
)
def test_value_without_syntax_is_refused(workload: Workload, text: str) -> None:
    with pytest.raises(WorkloadError) as error:
        supervisord_conf("demo", [workload])
    assert text in str(error.value)


def test_sections_are_split_by_program() -> None:
    a, b = (Workload(name=name, command=("sleep", "9")) for name in "ab")
    one, both = (sections(supervisord_conf("d", workloads)) for workloads in ([a], [a, b]))
    assert list(both) == ["a", "b"]
    assert one["a"] == both["a"]


@pytest.mark.parametrize("after", [("--log-level", "info"), ()], ids=["in the middle", "at the end"])
@pytest.mark.parametrize(("generation", "following"), [(0, 1), (1, 3)])
def test_next_generation_differs_in_name_epoch_and_log_only(
    generation: int, following: int, after: tuple[str, ...]
) -> None:
    def document(number: int) -> str:
        command = ("envoy", "--base-id", "18013", "--restart-epoch", str(number), *after)
        edge = Workload(name="edge", command=command, generation=number, digest="4f")
        return supervisord_conf("d", [edge, Workload(name="web", command=("sleep", "9"))])

    program = Workload(name="edge", command=("x",), generation=generation).program
    assert with_next_generation(document(generation), program, f"edge.{following}") == document(following)
