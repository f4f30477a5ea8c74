# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text for a URL that Python cannot split."""

from __future__ import annotations


def url_problem(error: ValueError) -> str:
    """Return what is wrong with a URL and what to do, as sentences, for an error of urllib.parse.

    Example:
        >>> from urllib.parse import urlsplit
        >>> try:
        ...     urlsplit("http://web:8080service").port
        ... except ValueError as error:
        ...     print(url_problem(error))
        its port is not a number. Write the port in digits, and begin the path with '/'.
    """
    text = str(error)
    if "cast to integer" in text:
        return "its port is not a number. Write the port in digits, and begin the path with '/'."
    if "out of range" in text:
        return "its port is above 65535. Write a port from 1 to 65535."
    if "IPv6" in text or "address" in text:
        return "its IPv6 address is not valid. Write the address in brackets, such as [::1]."
    return f"{text}. Write scheme://host:port/path."
