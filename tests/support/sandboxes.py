# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run each Envoy configuration below a folder through `envoy_config` and through `config:` of a demo, and print the outcome of each.

    python sandboxes.py FOLDER RESULT.json

It runs in a network namespace of its own, because the configurations listen on fixed ports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.meshlab.envoy.plugins.action.envoy_config import completed, text_or_base64
from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_options import (
    ARGUMENTS,
    FILE,
    PROXY,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_task import perform
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.candidate import (
    CLUSTER,
    LISTENER,
)

ENVOY = os.environ["MESHLAB_ENVOY"]
NODE = ("--service-node", "sandbox", "--service-cluster", "sandbox")
LONGEST = 60.0  # seconds


def configurations(folder: Path) -> Iterator[Path]:
    """Yield the files that are a Bootstrap."""
    for path in sorted(one for one in folder.rglob("*") if one.suffix in (".yaml", ".yml")):
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        if isinstance(data, dict) and {"static_resources", "dynamic_resources"} & data.keys():
            yield path


def is_accepted(path: Path) -> bool:
    """Return whether Envoy accepts the file alone, in its folder."""
    command = [ENVOY, "--mode", "validate", "--config-path", path.name, "--log-level", "error", *NODE]
    return subprocess.run(command, cwd=path.parent, capture_output=True, check=False).returncode == 0


def files_of(path: Path) -> dict[str, bytes]:
    """Return the files next to a configuration to which it refers, by path."""
    text = path.read_text(encoding="utf-8")
    found = [one for one in path.parent.rglob("*") if one.is_file() and one != path]
    names = {str(one.relative_to(path.parent)): one for one in found}

    def is_read(name: str) -> bool:
        module = name.removesuffix(".lua").replace("/", ".")  # as Lua's require has it
        return any(one in text for one in (f"{name}\n", f'{name}"', f'"{module}"'))

    return {name: one.read_bytes() for name, one in names.items() if is_read(name)}


def goes_live(path: Path) -> str:
    """Add the listeners and clusters of a file to a running Envoy through `envoy_config`; return what went wrong."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    static = data.get("static_resources") or {}
    listeners = static.pop("listeners", None) or []
    # A bootstrap that fetches configuration, or reports its load, needs its clusters.
    needs_clusters = bool({"dynamic_resources", "cluster_manager"} & data.keys())
    clusters = [] if needs_clusters else static.pop("clusters", None) or []
    watched = {
        kind: {"path_config_source": {"path": f"./{name}"}}
        for kind, name in (("lds_config", "lds.yaml"), ("cds_config", "cds.yaml"))
        if kind == "lds_config" or not needs_clusters
    }
    dynamic = {**(data.get("dynamic_resources") or {}), **watched}
    bootstrap = {**data, "dynamic_resources": dynamic, "admin": {"address": {"pipe": {"path": "admin.sock"}}}}
    with tempfile.TemporaryDirectory(prefix="sand-") as name:
        folder = Path(name) / "state"
        more = files_of(path)
        empty = _deploy(folder, bootstrap, [], [], more, running=False)
        if empty.get("failed"):
            return str(empty["msg"])
        log = (Path(name) / "log").open("w")
        command = [
            ENVOY,
            "--config-path",
            "bootstrap.yaml",
            "--disable-hot-restart",
            "--concurrency",
            "1",
            *NODE,
        ]
        envoy = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            admin = ConfigAdmin(f"unix://{folder}/admin.sock")
            deadline = time.monotonic() + LONGEST
            while not admin.is_running() and envoy.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            result = _deploy(folder, bootstrap, listeners, clusters, more, running=True)
            return str(result["msg"]) if result.get("failed") else ""
        finally:
            envoy.kill()
            envoy.wait()


def _deploy(
    folder: Path,
    bootstrap: Any,
    listeners: list[Any],
    clusters: list[Any],
    more: dict[str, bytes],
    running: bool,
) -> dict[str, Any]:
    texts = {
        "bootstrap.yaml": to_yaml(bootstrap),
        "lds.yaml": to_yaml({"resources": [{"@type": LISTENER, **one} for one in listeners]}),
        "cds.yaml": to_yaml({"resources": [{"@type": CLUSTER, **one} for one in clusters]}),
    }
    proxy = {
        "name": "sandbox",
        "bootstrap": "bootstrap.yaml",
        "listeners": "lds.yaml",
        "clusters": "cds.yaml",
    }
    own = {**proxy, "admin": f"unix://{folder}/admin.sock", "running": running}
    files = [{"path": key, "content": text} for key, text in texts.items()]
    files += [{"path": key, **text_or_base64(content)} for key, content in more.items()]
    options = {key: spec.get("default") for key, spec in ARGUMENTS.items()}
    defaults = {key: spec.get("default") for key, spec in FILE.items()}
    proxy_defaults = {key: spec.get("default") for key, spec in PROXY.items()}
    named, proxies, _notes = completed(files, [own])
    options |= {
        "folder": str(folder),
        "files": [{**defaults, **one} for one in named],
        "proxies": [{**proxy_defaults, **one} for one in proxies],
        "envoy": {"executable": ENVOY, "image": None, "version": None},
        "confirm_timeout": LONGEST,
    }
    return perform(options, check_mode=False)


def runs_in_a_demo(path: Path) -> str:
    """Run a file as `config:` of a demo on this host, and read a stat of it; return what went wrong."""
    from cases import CaseDeployment

    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    local = CaseDeployment("local")
    try:
        (local.root / "envoy.yaml").write_bytes(path.read_bytes())
        for name, content in files_of(path).items():
            (local.root / name).parent.mkdir(parents=True, exist_ok=True)
            (local.root / name).write_bytes(content)
        live = [{"at": "front", "stat": "server.live", "op": "eq", "value": 1}]
        planned = local.plan(
            {
                "summary": str(path.name),
                "ports": 20000,
                "proxies": {
                    "front": {
                        "config": "envoy.yaml",
                        "files": {one: {"source": one} for one in files_of(path)},
                    }
                },
                "expectations": live if data.get("admin") else [],
            }
        )
        result = local.result(planned)
        return str(result["msg"]) if result["failed"] else "; ".join(local.failures(planned))
    finally:
        local.close()


def outcome(run: Callable[[Path], str], path: Path) -> str:
    """Return what went wrong, or the exception."""
    try:
        return run(path)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    """Run all files, and write the outcome of each as JSON."""
    folder, result = Path(sys.argv[1]), Path(sys.argv[2])
    outcomes = {}
    for path in configurations(folder):
        if is_accepted(path):
            name = str(path.relative_to(folder))
            outcomes[name] = {one.__name__: outcome(one, path) for one in (goes_live, runs_in_a_demo)}
            print(name, outcomes[name], flush=True)
    result.write_text(json.dumps(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
