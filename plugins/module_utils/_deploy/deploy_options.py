# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""workloads as a function: its options in, its result out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deployment import (
    Done,
    Request,
    absent,
    present,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import CLUSTER_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
    ended,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config import (
    Asked,
    Members,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload, WorkloadError

TEXT = {"type": "str"}
NEEDED = {"type": "str", "required": True}
STRINGS = {"type": "list", "elements": "str"}


def _list(**options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "options": options}


WORKLOAD: dict[str, dict[str, Any]] = {
    "name": NEEDED,
    "command": {**STRINGS, "required": True},
    "image": TEXT,
    "environment": {"type": "dict"},
    "mounts": _list(source=NEEDED, target=NEEDED, writable={"type": "bool", "default": False}),
    "ports": _list(
        number={"type": "int", "required": True},
        published={"type": "int"},
        protocol={"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
        name=TEXT,
        scheme=TEXT,
        peers=STRINGS,
        metrics={"type": "bool"},
    ),
    "probe": {
        "type": "dict",
        "options": {
            "kind": {"type": "str", "choices": ["http", "tcp", "none"], "default": "none"},
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 0},
            "path": {"type": "str", "default": "/"},
            "command": STRINGS,
            "private": {"type": "bool"},
        },
    },
    "network": TEXT,
    "directory": TEXT,
    "aliases": STRINGS,
    "hostname": TEXT,
    "user": TEXT,
    "memory_mb": {"type": "int"},
    "cpus": {"type": "float"},
    "init": {"type": "bool"},
    "stop_signal": TEXT,
    "stop_seconds": {"type": "int"},
    "drain": TEXT,
    "after": STRINGS,
    "digest": TEXT,
    "group": TEXT,
    "replicas": {"type": "int"},
    "container": TEXT,
    "sidecar": {"type": "bool"},
}
CERTIFICATE: dict[str, dict[str, Any]] = {
    "path": NEEDED,
    "names": {**STRINGS, "required": True},
    "addresses": {**STRINGS, "default": []},
    "mode": {"type": "str", "default": "0600"},
    "days": {"type": "int", "default": 365},
    "renew_days": {"type": "int", "default": 30},
}
CHECK: dict[str, dict[str, Any]] = {
    "name": NEEDED,
    "command": {**STRINGS, "required": True},
    "image": TEXT,
    "version": TEXT,
    "files": {**_list(path=NEEDED, content=NEEDED), "default": []},
    "validated_files": {**STRINGS, "default": []},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": NEEDED,
    "platform": {
        "type": "str",
        "choices": ["local", "docker", "kubernetes", "openshift"],
        "default": "local",
    },
    "folder": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "bind": {"type": "str", "default": "127.0.0.1"},
    "files": {
        **_list(path=NEEDED, content=NEEDED, mode={"type": "str", "default": "0644"}, live=TEXT),
        "default": [],
    },
    "directories": {**_list(path=NEEDED, mode={"type": "str", "default": "0755"}), "default": []},
    "certificates": {**_list(**CERTIFICATE), "default": []},
    "checks": {**_list(**CHECK), "default": []},
    "workloads": {**_list(**WORKLOAD), "default": []},
    "admins": {
        **_list(
            proxy=NEEDED,
            url=NEEDED,
            workload=TEXT,
            pods={
                "type": "dict",
                "options": {
                    "selector": NEEDED,
                    "container": {"type": "str", "default": "envoy"},
                    "port": {"type": "int", "default": 9901},
                },
            },
            members={"type": "dict"},
        ),
        "default": [],
    },
    "manifests": {"type": "list", "elements": "dict", "default": []},
    **CLUSTER_ARGS,
    "supervisord": {
        "type": "dict",
        "default": {},
        "options": {"executable": {"type": "str", "default": "supervisord"}},
    },
    "timeout": {"type": "float", "default": 60},
    "confirm_timeout": {"type": "float", "default": 60},
    "drain_timeout": {"type": "float", "default": 10},
}


def request_of(options: dict[str, Any], check_mode: bool) -> Request:
    """Return what `options` ask for. Raises ConfigRefused, WorkloadError."""
    return Request(
        name=options["name"],
        platform=options["platform"],
        folder=Path(options["folder"]),
        wanted=DesiredFiles.from_plan(options),
        workloads=tuple(Workload.from_dict(one) for one in options["workloads"]),
        runs={one["proxy"]: one["workload"] or one["proxy"] for one in options["admins"]},
        manifests=tuple(options["manifests"]),
        asked={one["proxy"]: _asked(one) for one in options["admins"] if one.get("pods")},
        cluster=options.get("cluster") or {},
        bind=options["bind"],
        supervisord=(options["supervisord"] or {}).get("executable") or "supervisord",
        timeout=options["timeout"],
        confirm_timeout=options["confirm_timeout"],
        drain_timeout=options["drain_timeout"],
        check_mode=check_mode,
    )


def _asked(admin: dict[str, Any]) -> Asked:
    members = {
        str(name): Members(str(one["selector"]), int(one["hosts"]))
        for name, one in (admin.get("members") or {}).items()
    }
    return Asked(**{**admin["pods"], "members": members})


def perform(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the result, with a diff; `failed` is in it where something went wrong, told in `msg`."""
    done = Done()
    failed = ""
    try:
        request = request_of(options, check_mode)
        if options["state"] == "absent":
            absent(request, done)
        else:
            present(request, done)
    except PlatformRefused as error:
        failed = f"{ended(error)} Nothing was changed."
    except (ConfigRefused, PlatformFailed, WorkloadError) as error:
        failed = str(error)
    except OSError as error:
        failed = f"{error.filename or 'The host'}: {error.strerror or error}; correct that and run again."
    except Exception as error:
        failed = f"A mistake in meshlab.envoy, please report it: {type(error).__name__}: {error}"
    result = asdict(done)
    result["warnings"] = result.pop("remarks")
    if failed:
        # What was written and started until then stays to be looked at; a run that is not refused goes on from there.
        result["changed"] = done.changed and bool({"write", "start"} & {*done.seconds})
        result |= {"failed": True, "msg": failed}
    return result
