# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demos of tests/integration/cases: their ports, their deployment by the modules, and the check of their numbers."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from deployment import failure_messages, host_context, module_answer
from live import ENVOY_VERSION, PYTHON_IMAGE, ROOT, lock_ports

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy, demo_verify
from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context

CASES = ROOT / "tests" / "integration" / "cases"
# Blocks of 100 ports: above the ranges of the gallery's copies (live.SHIFTS), and below the ephemeral ports of systems.
BLOCKS = range(31300, 32700, 100)
# Folder of the lock files of blocks and of ports below 1024.
LOCKS = ROOT / "build" / "cache" / "case-ports"
# The folder that the demos of the cases refer to.
FOLDER = "/srv/case"
SUPERVISORD = Path(sys.executable).with_name("supervisord")


class PortBlock:
    """A block of 100 ports, none of them in use. `close` releases it. A file lock reserves the block for one process."""

    def __init__(self) -> None:
        for first in BLOCKS:
            lock = lock_ports(LOCKS / str(first), range(first, first + 100), ("127.0.0.1", "0.0.0.0"))
            if lock:
                self.first, self._lock = first, lock
                return
        raise AssertionError(f"no block of {BLOCKS} is free")

    def close(self) -> None:
        """Release the block."""
        self._lock.close()


def case_data(name: str, block: PortBlock, folder: Path | str = FOLDER) -> Any:
    """Return the demo in `cases/<name>` with the ports of `block`, and with `folder` as the folder of the case."""
    text = (CASES / name).read_text(encoding="utf-8").replace(FOLDER, str(folder))
    own = yaml.safe_load(text)["ports"] // 100
    return yaml.safe_load(re.sub(rf"\b{own}(\d\d)\b", lambda found: str(block.first + int(found[1])), text))


class CaseDeployment:
    """A deployment of one demo by the modules, in a folder of its own. `close` removes everything.

    Args:
        platform: Name of the platform.
        cluster: The option `cluster` of demo_deploy, on a cluster.
    """

    def __init__(self, platform: str, cluster: dict[str, Any] | None = None) -> None:
        self.platform = platform
        self.options = {"cluster": cluster} if cluster else {}
        # Not pytest's temporary folder, because the path of a Unix socket is limited to 107 bytes.
        self.root = Path(tempfile.mkdtemp(prefix="case-"))
        self.folder = self.root / "state"
        self.name = f"case{os.getpid()}-{self.root.name[-4:].lower().replace('_', 'x')}"

    def plan(self, data: Any, **context: Any) -> Any:
        """Return the plan of a demo, whose files are relative to `root`. Raises DemoError."""
        programs = {
            "envoy": {
                "image": f"envoyproxy/envoy:v{ENVOY_VERSION}",
                "executable": os.environ["MESHLAB_ENVOY"],
                "version": ENVOY_VERSION,
            },
            "python": {"image": PYTHON_IMAGE, "executable": "python3"},
            "supervisord": {"executable": str(SUPERVISORD)},
        }
        base = {"platform": self.platform, "folder": str(self.folder), **host_context(self.folder)}
        source = DemoSource(read=lambda path: (self.root / path).read_bytes())
        return make_plan(
            self.name, data, complete_context({**base, **programs, **context}), "case.yml", source=source
        )

    def deploy(self, data: Any, **context: Any) -> Any:
        """Deploy a demo, and return its plan. Fail the test if the deployment fails."""
        planned = self.plan(data, **context)
        result = self.result(planned)
        assert not result["failed"], result["msg"]
        return planned

    def result(self, planned: Any, **options: Any) -> dict[str, Any]:
        """Deploy a plan, and return the result of demo_deploy."""
        arguments = {
            "plan": planned,
            "supervisord_executable": str(SUPERVISORD),
            "timeout": 120,
            **self.options,
            **options,
        }
        return module_answer(demo_deploy, arguments)

    def failures(self, planned: Any, timeout: float = 15) -> list[str]:
        """Send the traffic of a deployed plan, and return the messages of the expectations that do not hold.

        Expectations have `timeout` seconds to hold.
        """
        needed = {key: planned[key] for key in ("endpoints", "traffic", "assertions")}
        result = module_answer(demo_verify, {"plan": needed, "timeout": timeout, **self.options})
        found = failure_messages(result)
        # A plan that cannot be verified fails without an outcome.
        assert found or not result["failed"], result["msg"]
        return found

    def close(self) -> None:
        """Remove the deployment and its folder."""
        plan = {"name": self.name, "platform": self.platform, "folder": str(self.folder)}
        result = self.result(plan, state="absent")
        shutil.rmtree(self.root)
        assert not result["failed"], result["msg"]


@contextmanager
def case_deployments() -> Iterator[Callable[[str], CaseDeployment]]:
    """Yield a function that makes a deployment on a platform, which is removed at the end."""
    # The client of a cluster is imported only if a test is run.
    from cluster_home import PLATFORMS, ClusterHome

    with ExitStack() as stack:

        def make(platform: str) -> CaseDeployment:
            cluster = None
            if platform in PLATFORMS:
                home = ClusterHome(platform)
                stack.callback(home.close)
                cluster = {"namespace": home.namespace}
            made = CaseDeployment(platform, cluster)
            stack.callback(made.close)
            return made

        yield make
