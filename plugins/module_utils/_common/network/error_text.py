# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text for an error of the operating system or of TLS."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._common.timeout_errors import TIMEOUT_ERRORS


def error_text(error: BaseException) -> str:
    """Return the reason of `error` in lower case, without its number and without the position in OpenSSL's source.

    Args:
        error: An `OSError`, of which `ssl.SSLError` is one, or any other exception.

    Returns:
        For a certificate that is not accepted, OpenSSL's reason in parentheses. Otherwise OpenSSL's reason, the operating
        system's text, the exception's own text, or the exception's name, whichever is there first.

    Example:
        >>> error_text(ConnectionRefusedError(111, "Connection refused"))
        'connection refused'
        >>> error_text(TimeoutError())
        'timed out'
    """
    # No import of ssl: it takes 10 ms, and most callers do not use TLS.
    verification = getattr(error, "verify_message", "")
    if verification:
        return f"the certificate is not trusted ({verification})"
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        if reason == "WRONG_VERSION_NUMBER":
            return "the server does not use TLS"
        return reason.replace("_", " ").lower()
    if isinstance(error, TIMEOUT_ERRORS) and not error.strerror:
        return "timed out"
    text = str(getattr(error, "strerror", None) or error)
    return _lower_first(text) if text else type(error).__name__


def _lower_first(text: str) -> str:
    """Lower the first letter, except of a name in capitals such as `TLS` or `AF_UNIX`."""
    return text if text[1:2].isupper() or text[1:2] == "_" else text[:1].lower() + text[1:]
