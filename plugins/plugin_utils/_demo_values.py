# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of a demo file with a tag: `!vault` decrypts, `!template` is a template of Ansible, `!unsafe` is literal text."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import trust_as_template

VAULT, TEMPLATE, UNSAFE = "!vault", "!template", "!unsafe"
TAGS = (VAULT, TEMPLATE, UNSAFE)


class ValueResolver:
    """Resolves the tagged values of one demo file. Each value is resolved once: `{{` in the result is literal text.

    Attributes:
        secrets: The values that came from Ansible Vault or from a template.
    """

    def __init__(self, loader: Any, templar: Any) -> None:
        self._loader, self._templar = loader, templar
        self.secrets: set[str] = set()

    def __call__(self, tag: str, text: str) -> str:
        """Return the value of a text with one of TAGS.

        Raises:
            ValueError: The text cannot be decrypted, or its template fails. The message has no secret.
        """
        if tag == UNSAFE:
            return text
        try:
            value = self._decrypted(text) if tag == VAULT else self._templated(text)
        except AnsibleError as error:
            raise ValueError(str(error)) from None
        self.secrets.add(value)
        return value

    def _decrypted(self, text: str) -> str:
        # get_real_file decrypts a file with the vault secrets of the run.
        with tempfile.NamedTemporaryFile("w", prefix="meshlab-envoy-", suffix=".vault") as encrypted:
            encrypted.write(text.strip() + "\n")
            encrypted.flush()
            decrypted = self._loader.get_real_file(encrypted.name)
            try:
                return Path(decrypted).read_text(encoding="utf-8")
            finally:
                self._loader.cleanup_tmp_file(decrypted)

    def _templated(self, text: str) -> str:
        value = self._templar.template(trust_as_template(text))
        if isinstance(value, (dict, list)) or value is None:
            raise ValueError(f"the template returns {type(value).__name__}, but a text is expected")
        return str(value)
