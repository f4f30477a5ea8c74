# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README.md and docs/ are true: their commands run as a newcomer runs them, in order, and their output is what is shown.

A copy of the checkout is made in an empty home. A fence's info string says more than its language:

- ```sh                        is run, from the checkout, in the order of the page;
- ```sh needs=docker           as well, where there is a daemon; needs=kubernetes, where there is a cluster;
- ```sh not-run: REASON        is not, for a reason of NOT_RUN below;
- ```yaml file=PATH            is written there before;
- ```text sample=DEMO          is what a run of that demo printed last. MESHLAB_WRITE_SAMPLES=1 writes it anew.
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

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import DEMO, Shape

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
OWN_DEMO = ROOT / "docs" / "write-your-own-demo.md"
# That page is followed in a folder of its reader's own: test_docs_assert.py.
PAGES = [README, *sorted(set((ROOT / "docs").glob("*.md")) - {ROOT / "docs" / "assert-on-envoy.md"})]
EXAMPLES = [README, OWN_DEMO, *sorted((ROOT / "roles").glob("*/README.md"))]
WRITE = os.environ.get("MESHLAB_WRITE_SAMPLES") == "1"
# What is not run, and why: nothing else may be left out.
NOT_RUN = {
    "make test": "the test that runs these commands is a part of it",
    ".venv/bin/ansible-playbook -i hosts.yml site.yml -e demo=front_proxy": "envoy1.example.com is to be a host of yours",
    'make demos\nmake demos PLATFORM="local docker"\nmake demos DEMOS="gzip rbac"': "a test of its own plays the gallery",
}
# What the gallery publishes, and the examples.
PORTS = (7001, 7443, 8000, 8070, 8080, 8081, 8090, 8091, 8092, 8443, 9090, 9102, 9125, 9901, 10000)
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
STEPS = [
    one
    for page in PAGES
    for one in fences(page)
    if (one.language == "sh" and not one.not_run) or one.option("sample")
]
YAML = [one for page in EXAMPLES for one in fences(page) if one.language == "yaml"]


# --- A newcomer -----------------------------------------------------------------------------------------------------------------------


@dataclass
class Newcomer:
    home: Path
    outputs: list[str] = field(default_factory=list)

    @property
    def checkout(self) -> Path:
        return self.home / "meshlab.envoy"

    def environment(self) -> dict[str, str]:
        """Nothing of the tests' own; downloads that somebody made before are not made again."""
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
            # Ansible looks for results of async tasks in the home that /etc/passwd has.
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
        asked = subprocess.run(
            [go, "env", "GOMODCACHE", "GOCACHE"], capture_output=True, text=True, check=True
        )
        found |= dict(zip(("GOMODCACHE", "GOCACHE"), asked.stdout.split(), strict=True))
    return found


def _taken() -> list[int]:
    def answers(port: int) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    return [port for port in PORTS if answers(port)]


def _remove_containers(home: Path) -> None:
    """Remove what compose projects below `home` left: by their folder, because somebody else's may have the same name."""
    if not shutil.which("docker"):
        return
    labels = "com.docker.compose.project.working_dir", "com.docker.compose.project"
    form = "\t".join(["{{.ID}}", *(f'{{{{.Label "{label}"}}}}' for label in labels)])
    listed = subprocess.run(
        ["docker", "ps", "--all", "--format", form], capture_output=True, text=True, check=False
    )
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    mine = [(container, project) for container, folder, project in rows if folder.startswith(f"{home}/")]
    for container, _project in mine:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)
    for project in {project for _container, project in mine}:
        subprocess.run(["docker", "network", "rm", f"{project}_default"], capture_output=True, check=False)


@pytest.fixture(scope="module")
def newcomer() -> Iterator[Newcomer]:
    until = time.monotonic() + 60
    while taken := _taken():
        if time.monotonic() > until:
            pytest.skip(f"somebody has ports that the pages use: {taken}")
        time.sleep(2)
    # A short path: it is where Unix sockets are.
    home = Path(tempfile.mkdtemp(prefix="new-"))
    newcomer = Newcomer(home)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = newcomer.checkout / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    for one in YAML:
        if path := one.option("file"):
            target = newcomer.checkout / path.replace("~", str(home))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(one.text, encoding="utf-8")
    try:
        yield newcomer
    finally:
        # Only where a test failed is anything left.
        for folder in (home / ".local/state/meshlab.envoy").glob("*/supervisord.conf"):
            newcomer.run(
                f".venv/bin/ansible-playbook -i inventories/local playbooks/teardown.yml -e deployment_demo_name={folder.parent.name}"
            )
        _remove_containers(home)
        subprocess.run(["chmod", "-R", "u+w", str(home)], check=False)
        shutil.rmtree(home)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_page_read_from_top_to_bottom(newcomer: Newcomer, step: Fence) -> None:
    if demo := step.option("sample"):
        _check_sample(step, demo, newcomer.outputs)
        return
    _there_or_skip(step.option("needs"))
    done = newcomer.run(step.text)
    newcomer.outputs.append(done.stdout)
    assert done.returncode == 0, f"{step}:\n{step.text}\n{done.stdout}"


def _there_or_skip(needed: str) -> None:
    asked = {
        "docker": ["docker", "version"],
        "kubernetes": [os.environ.get("MESHLAB_KUBECTL", "kubectl"), "version"],
    }
    if needed and subprocess.run(asked[needed], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no {needed}: tests/lab/with brings one up")


def test_nothing_is_left_running(newcomer: Newcomer) -> None:
    """The pages take down what they put up."""
    left = list((newcomer.home / ".local/state/meshlab.envoy").glob("*"))
    assert left == []
    assert _taken() == []


def report(output: str, demo: str) -> str:
    """What verification printed about `demo`, from its title to its last line."""
    lines = output.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith(f"{demo} on ")), None)
    if start is None:
        return ""
    end = next(at for at, line in enumerate(lines) if at > start and "expectations hold: " in line)
    return "\n".join(lines[start : end + 1]) + "\n"


def without_times(text: str) -> str:
    return re.sub(r"\b\d+(\.\d+)? (ms|s)\b", r"… \2", text)


def _check_sample(step: Fence, demo: str, outputs: list[str]) -> None:
    found = next((one for output in reversed(outputs) if (one := report(output, demo))), "")
    assert found, f"no command before {step} printed a report about {demo}"
    if WRITE:
        text = step.page.read_text(encoding="utf-8")
        step.page.write_text(
            text.replace(f"```{step.info}\n{step.text}```", f"```{step.info}\n{found}```"), encoding="utf-8"
        )
        return
    assert without_times(step.text) == without_times(found), "MESHLAB_WRITE_SAMPLES=1 writes it anew"


# --- What it says when it does not work -----------------------------------------------------------------------------------------------

SCALED = "sed 's/of: delta, op: eq, value: 30/of: delta, op: eq, value: 31/' playbooks/demos/front_proxy.yml > ~/front_proxy.yml"
CAUSES = {
    "port 8080 of edge is taken by process": (
        "python3 -m http.server --bind 127.0.0.1 8080 2>/dev/null & trap 'kill %1' EXIT;"
        " until curl --silent --fail --output /dev/null http://127.0.0.1:8080/; do sleep 0.1; done; make demo"
    ),
    "The Docker daemon does not answer": "make demo PLATFORM=docker DOCKER_HOST=unix:///nowhere.sock",
    "there is no key 'publsh'; did you mean 'publish'?": (
        "sed 's/publish: 8443/publsh: 8443/' playbooks/demos/front_proxy.yml > ~/wrong.yml; make demo DEMO=~/wrong.yml"
    ),
    "no such field: 'prefx'": (
        "sed '0,/prefix:/s//prefx:/' playbooks/demos/front_proxy.yml > ~/wrong.yml; make demo DEMO=~/wrong.yml"
    ),
    "There is no namespace shop on this cluster": (
        "make demo PLATFORM=kubernetes ARGS='-e \"{deployment_cluster: {namespace: shop}}\"'"
    ),
    "there is no such platform; choose one of: docker kubernetes local openshift": "make demo PLATFORM=podman",
    "Python 3.11 or newer": "make lock PYTHON=nonesuch",
    "✘ cluster.service1.upstream_rq_200 at edge: ": (
        f"{SCALED}; trap 'make down DEMO=~/front_proxy.yml' EXIT; make demo DEMO=~/front_proxy.yml"
    ),
}


def test_each_row_of_troubles_has_a_cause() -> None:
    section = README.read_text(encoding="utf-8").partition("## When it does not work")[2]
    said = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(said) == len(CAUSES)
    assert all(any(message in one for one in said) for message in CAUSES)


@pytest.mark.parametrize("message", CAUSES)
def test_troubles_are_told_in_these_words(newcomer: Newcomer, message: str) -> None:
    _there_or_skip("kubernetes" if "PLATFORM=kubernetes" in CAUSES[message] else "")
    done = newcomer.run(CAUSES[message])
    assert done.returncode != 0
    assert message in done.stdout


# --- What is not run ------------------------------------------------------------------------------------------------------------------


def test_what_is_not_run_says_why() -> None:
    left_out = {one.text.strip(): one.not_run for one in COMMANDS if one.not_run or one.language != "sh"}
    assert left_out == NOT_RUN


def _is_play(document: Any) -> bool:
    return isinstance(document, list) and all(isinstance(one, dict) and "hosts" in one for one in document)


def _is_tasks(document: Any) -> bool:
    return isinstance(document, list) and all(
        isinstance(one, dict) and any("." in key for key in one) for one in document
    )


def test_playbooks_and_tasks_are_such_to_ansible(tmp_path: Path) -> None:
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


def test_what_is_shown_of_front_proxy_is_in_it() -> None:
    demo = yaml.safe_load((ROOT / "playbooks/demos/front_proxy.yml").read_text(encoding="utf-8"))
    shown = [
        document
        for one in YAML
        if one.page == README and isinstance(document := yaml.safe_load(one.text), dict)
    ]
    parts = [one for one in shown if set(one) <= set(demo)]
    assert len(parts) == 3
    assert all(_part_of(one, demo) for one in parts)


def test_the_gallery_is_listed() -> None:
    # Demos that belong together share a row.
    first = re.findall(r"^\| (`[a-z_`, ]+`) \| ", README.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {name for cell in first for name in re.findall(r"`([a-z_]+)`", cell)}
    assert {path.stem for path in (ROOT / "playbooks/demos").glob("*.yml")} <= listed


def _keys(shape: Shape) -> set[str]:
    inner = [*shape.nested.values(), *shape.entries.values()]
    return set(shape.options).union(*(_keys(one) for one in inner))


def test_every_key_of_a_demo_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)[`:]", OWN_DEMO.read_text(encoding="utf-8")))
    assert _keys(DEMO) - explained == set()
