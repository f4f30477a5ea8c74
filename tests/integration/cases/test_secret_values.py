# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values from Ansible Vault and lookups in demos: literal where they are used, and in no output."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from cases import PortBlock
from live import PLAYBOOK, Home

# The texts look like templates: a second templating would fail or change them.
VAULTED = "vaulted-{{ 7 * 6 }}-secret"
LOOKED_UP = "looked-up-{{ undefined_name }}-secret"
LOOKUP = "{{ lookup('ansible.builtin.env', 'SECRET') }}"
GENERIC = "TOP-SECRET-TOKEN"
DEMO = """\
summary: A demo with secrets
ports: PORT
proxies:
  edge:
    listeners:
      http:
        port: PORT
        publish: PORT
        routes:
          - match: {path: /vault}
            direct_response:
              status: 200
              body:
                inline_string: VAULTED
          - match: {path: /lookup}
            direct_response: {status: 200, body: {inline_string: LOOKUP}}
    bootstrap:
      static_resources:
        secrets: [{name: token, generic_secret: {secret: {inline_string: TOP-SECRET-TOKEN}}}]
"""
# With an environment, the modules run on the host as on a remote one.
BOOK = """\
- hosts: envoy_hosts
  gather_facts: false
  environment: {EXAMPLE: sent to the host}
  tasks:
    - ansible.builtin.include_role: {name: meshlab.envoy.deployment}
  vars:
    deployment_demo_name: secrets
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home("local")
    (tmp_path / "password").write_text("hunter2")
    home.environment |= {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password"), "SECRET": LOOKED_UP}
    yield home
    home.close()


def vault_value(home: Home, text: str, indent: int) -> str:
    """Return a text as a YAML value with the tag `!vault`."""
    command = [str(PLAYBOOK.with_name("ansible-vault")), "encrypt_string", text]
    ran = subprocess.run(command, env=home.environment, capture_output=True, text=True, check=True)
    first, *lines = ran.stdout.split("\n")
    return "\n".join([first, *(" " * indent + line.strip() for line in lines)])


def assert_deployed(home: Home, book: Path, block: PortBlock, **variables: str) -> None:
    """Deploy, check the two texts that Envoy sends, and that the output has neither of them."""
    try:
        output = home.play(str(book), "--diff", "-vvv", **variables).output
        found = {}
        for path in ("vault", "lookup"):
            with urlopen(f"http://127.0.0.1:{block.first}/{path}", timeout=20) as response:
                found[path] = response.read().decode()
        assert found == {"vault": VAULTED, "lookup": LOOKED_UP}
        assert "edge/listeners.yaml" in output
        assert [secret for secret in (VAULTED, LOOKED_UP, GENERIC) if secret in output] == []
    finally:
        home.play(str(book), deployment_state="absent")


def test_values_of_a_demo_file(home: Home, block: PortBlock, tmp_path: Path) -> None:
    demo, book = tmp_path / "secrets.yml", tmp_path / "book.yml"
    text = DEMO.replace("PORT", str(block.first)).replace("LOOKUP", f'!template "{LOOKUP}"')
    demo.write_text(text.replace("VAULTED", vault_value(home, VAULTED, 18)))
    book.write_text(BOOK)
    assert_deployed(home, book, block, deployment_demo_file=str(demo))


@pytest.mark.slow
def test_values_of_variables(home: Home, block: PortBlock, tmp_path: Path) -> None:
    book = tmp_path / "book.yml"
    text = DEMO.replace("PORT", str(block.first)).replace("LOOKUP", f'"{LOOKUP}"')
    # The variable of a demo has no value that the planner recognizes as a secret, so the author marks the proxy.
    text = text.replace("    listeners:", "    sensitive: true\n    listeners:")
    data = "".join(f"      {line}\n" for line in text.replace("VAULTED", '"{{ vaulted }}"').splitlines())
    vaulted = f"    vaulted: {vault_value(home, VAULTED, 8)}\n"
    book.write_text(f"{BOOK}    deployment_demo:\n{data}{vaulted}")
    assert_deployed(home, book, block)
