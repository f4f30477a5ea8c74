# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that describe the files of a folder: files, directories and certificates of envoy_config."""

from __future__ import annotations

from textwrap import indent

FILES = r"""
files:
  description:
    - Files to write to O(folder). A file that an earlier run wrote and that is not listed any more is removed.
  type: list
  elements: dict
  required: true
  suboptions:
    path:
      description:
        - Path of the file, relative to O(folder). It must not contain C(..) or lead through a symbolic link.
      type: str
      required: true
    content:
      description:
        - Content of the file. Text is written unchanged. A dictionary is written as JSON when O(files[].path) ends in
          C(.json), otherwise as YAML.
        - YAML and JSON files are parsed on the controller first, so that an error names the line.
      type: raw
    src:
      description:
        - Path to a file on the controller, used instead of O(files[].content). It is searched as M(ansible.builtin.copy) does.
        - The file can be binary, such as a Wasm module.
      type: path
    encoding:
      description:
        - Encoding of O(files[].content). V(base64) is for bytes that are not text.
      type: str
      choices: [text, base64]
      default: text
    mode:
      description:
        - Permissions of the file as a quoted octal number.
      type: str
      default: "0644"
    live:
      description:
        - Name of the proxy that watches the file.
        - It can be omitted for the O(proxies[].listeners) and O(proxies[].clusters) of proxies with O(proxies[].admin).
      type: str
    sensitive:
      description:
        - Whether to omit the content from the diff.
      type: bool
      default: false
"""

DIRECTORIES = r"""
directories:
  description:
    - Directories to create in O(folder), for example for admin sockets and logs.
  type: list
  elements: dict
  default: []
  suboptions:
    path:
      description:
        - Path of the directory, relative to O(folder).
      type: str
      required: true
    mode:
      description:
        - Permissions of the directory as a quoted octal number.
      type: str
      default: "0755"
"""

CERTIFICATES = r"""
certificates:
  description:
    - Certificates to create on the managed host with its C(openssl) command. The certificate authority that signs them is in
      C(ca/ca.crt) and C(ca/ca.key) of O(folder).
    - A certificate is renewed when it expires soon, when its names change, and when the authority changes.
  type: list
  elements: dict
  default: []
  suboptions:
    path:
      description:
        - Directory for C(tls.crt), C(tls.key) and C(ca.crt), relative to O(folder).
      type: str
      required: true
    names:
      description:
        - Subject alternative names of the certificate. A name is a host name or a URI. The first one is the common name.
      type: list
      elements: str
      required: true
    addresses:
      description:
        - IP addresses among the subject alternative names.
      type: list
      elements: str
      default: []
    mode:
      description:
        - Permissions of C(tls.key) as a quoted octal number. An Envoy that runs as another user needs more than the default.
      type: str
      default: "0600"
    days:
      description:
        - Number of days until the certificate expires.
      type: int
      default: 365
    renew_days:
      description:
        - Number of days before the expiry from which on the certificate is renewed.
      type: int
      default: 30
"""


class ModuleDocFragment:
    """The documentation of the options `files`, `directories` and `certificates`."""

    # Annotated, because the sanity test yamllint reads plain assignments and supports only literals.
    DOCUMENTATION: str = f"options:\n{indent(FILES + DIRECTORIES + CERTIFICATES, '  ')}"
