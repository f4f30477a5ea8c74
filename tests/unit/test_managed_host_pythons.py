# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code of managed hosts on their Pythons: the oldest supported one, the next one, a recent one, and one that is too old."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from interpreters import interpreter
from program_output import printed_by

from ansible_collections.meshlab.envoy.plugins.module_utils import stats_api

# The file is <root>/ansible_collections/meshlab/envoy/plugins/module_utils/stats_api.py.
COLLECTIONS = Path(stats_api.__file__).parents[5]
PLUGINS = Path(stats_api.__file__).parents[1]
MODULES = sorted(
    path for path in (PLUGINS / "modules").glob("*.py") if "AnsibleModule" in path.read_text(encoding="utf-8")
)
DEMO_APP = PLUGINS.parent / "roles" / "demo_app" / "files" / "demo_app.py"
SUPPORTED = ("3.9", "3.10", "3.13")
TOO_OLD = "3.8"
PREFIX = "from ansible_collections.meshlab.envoy.plugins.module_utils."

IMPORTS = """
import importlib, sys
from pathlib import Path
root = Path(sys.argv[1], "ansible_collections/meshlab/envoy/plugins/module_utils")
paths = sorted(root.rglob("*.py"))
for path in paths:
    importlib.import_module(".".join(path.relative_to(sys.argv[1]).with_suffix("").parts).replace(".__init__", ""))
print(len(paths))
"""
PATTERN = """
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import compile_pattern
pattern = compile_pattern(r"cluster\\.(web|app)\\.upstream_rq_[2-5]xx", "match")
print(pattern.matches("cluster.web.upstream_rq_200"), pattern.matches("cluster.web.upstream_rq_5xx"))
"""
SERVER = """
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATS = {"stats": [{"name": "server.live", "value": 1}, {"name": "http.in.downstream_rq_2xx", "value": 20}]}
INFO = {"version": "0/1.40.0/Clean/RELEASE/BoringSSL", "state": "LIVE", "uptime_current_epoch": "9s", "uptime_all_epochs": "9s"}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps(INFO if self.path.startswith("/server_info") else STATS).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "http://127.0.0.1:%d" % server.server_address[1]
"""
ASSERTIONS = (
    SERVER
    + """
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import parse_assertions, parse_endpoints, wait_for
assertions = parse_assertions([{"stat": "http.in.downstream_rq_2xx", "op": "eq", "value": number} for number in (20, 19)])
outcome = wait_for(parse_endpoints([{"name": "edge", "url": url}]), assertions, timeout=5)
print([verdict["ok"] for verdict in outcome.as_data()["assertions"]])
"""
)
TRAFFIC = (
    SERVER
    + """
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
[traffic] = parse_traffic([{"url": url, "requests": 20, "concurrency": 4, "timeout": 10}], {})
print(send_traffic(traffic)["statuses"])
"""
)
# A port that never answers: the client's own limit of time ends the wait.
TIMEOUTS = """
import socket
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import BlockingAdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
listener = socket.create_server(("127.0.0.1", 0))
url = "http://127.0.0.1:%d" % listener.getsockname()[1]
try:
    BlockingAdminClient.at(url).get_text("/ready", timeout=0.2)
except ScrapeError as error:
    print(error.kind)
[traffic] = parse_traffic([{"url": url, "requests": 1, "timeout": 0.2}], {})
print(send_traffic(traffic)["errors"])
"""
TLS = """
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.tls import client_context
print(client_context().minimum_version.name)
"""
FOLDER = """
import sys
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.plan_input import check_plan
entry = {"path": "edge/a", "content": "x", "mode": "0644", "live": None, "host": "web1"}
check_plan({"name": "a", "platform": "local", "folder": "/a", "files": [entry]})
with prepare(sys.argv[2], DesiredFiles((File("edge/a", b"x"),))) as transaction:
    transaction.write()
    transaction.finish()
print(open(sys.argv[2] + "/edge/a").read())
"""


def run(version: str, program: str, *arguments: str) -> str:
    """Return what a program prints on an interpreter, which has only the collection and the standard library."""
    return printed_by(
        [interpreter(version), "-W", "error", "-c", program, str(COLLECTIONS), *arguments],
        {"PYTHONPATH": str(COLLECTIONS), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
    )


@pytest.mark.parametrize("version", SUPPORTED)
def test_every_module_util_can_be_imported(version: str) -> None:
    assert int(run(version, IMPORTS)) == len(list((PLUGINS / "module_utils").rglob("*.py")))


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize(
    ("program", "printed"),
    [
        pytest.param(PATTERN, "False True", id="pattern"),
        pytest.param(ASSERTIONS, "[True, False]", id="assertions"),
        pytest.param(TRAFFIC, "{'200': 20}", id="traffic"),
        pytest.param(TLS, "TLSv1_2", id="tls"),
        pytest.param(TIMEOUTS, "timeout\n{'timeout': 1}", id="timeouts"),
    ],
)
def test_functions_return_same_on_each_python(version: str, program: str, printed: str) -> None:
    assert run(version, program) == printed


@pytest.mark.parametrize("version", SUPPORTED)
def test_folder_is_prepared_on_each_python(version: str, tmp_path: Path) -> None:
    assert run(version, FOLDER, str(tmp_path / "folder")) == "x"


@pytest.mark.parametrize("version", SUPPORTED)
def test_demo_app_starts_on_each_python(version: str) -> None:
    ran = subprocess.run(
        [interpreter(version), "-W", "error", str(DEMO_APP), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "DEMO_APP_PORT" in ran.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_module_checks_python_before_other_imports(module: Path) -> None:
    # The file cannot be run here: on a host, Ansible provides ansible.module_utils.
    text = module.read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if line.startswith((PREFIX, "require_supported_python("))]
    assert code[0].startswith(f"{PREFIX}_common.python_version ")
    assert code[1] == "require_supported_python()"
    assert len(code) > 2


def test_older_python_is_refused_with_one_sentence() -> None:
    executable = interpreter(TOO_OLD)
    program = f"{PREFIX}_common.python_version import require_supported_python; require_supported_python()"
    ran = subprocess.run(
        [executable, "-c", program],
        env={"PYTHONPATH": str(COLLECTIONS), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    result = json.loads(ran.stdout)
    assert result["failed"] is True
    assert f"{executable} is Python 3.8." in result["msg"]
    assert "needs Python 3.9 or newer on the managed host. Set ansible_python_interpreter" in result["msg"]
