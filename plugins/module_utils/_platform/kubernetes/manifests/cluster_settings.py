# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a cluster for the objects of a demo. Everything else follows from the workloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ansible_collections.meshlab.envoy.plugins.module_utils._common.boolean import to_boolean
from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
Termination = Literal["passthrough", "reencrypt"]
CHOICES = {"service_type": get_args(ServiceType), "termination": get_args(Termination)}


class SettingsError(ValueError):
    """A setting that is unknown or has a wrong value: the setting, the problem and the remedy."""


@dataclass(frozen=True)
class ClusterSettings:
    """The settings of a cluster. `uid` is the user id of containers, or None if the cluster chooses one, as OpenShift does."""

    uid: int | None = 65532
    # Type of the Services of published ports.
    service_type: ServiceType = "ClusterIP"
    # Names of the Secrets for pulling images.
    pull_secrets: tuple[str, ...] = ()
    # OpenShift: whether published ports get Routes, the domain of their hosts (empty: the router chooses hosts), and the
    # termination of Routes to ports with TLS.
    routes: bool = False
    domain: str = ""
    termination: Termination = "passthrough"
    # Gateway API: `name` or `namespace/name` of the Gateway that HTTPRoutes attach to.
    gateway: str = ""


def read_settings(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> ClusterSettings:
    """Return the settings in `data`. A setting that is missing or null has the value in `defaults`, or that of the class.

    Raises:
        SettingsError: A setting is unknown or has a wrong value.
    """
    known = [one.name for one in fields(ClusterSettings)]
    for key in data:
        if key not in known:
            raise SettingsError(unknown_name("key", key, known))
    values = dict(defaults)
    values.update({key: value for key, value in data.items() if value is not None and value != ""})
    for key, choices in CHOICES.items():
        if key in values and values[key] not in choices:
            raise SettingsError(f"{key}: {unknown_name('choice', values[key], choices)}")
    if "routes" in values:
        values["routes"] = _boolean("routes", values["routes"])
    if values.get("uid") is not None:
        uid = str(values["uid"])
        if not uid.isdigit() or int(uid) == 0:
            raise SettingsError(f"uid: expected the number of a user other than root, got '{uid}'.")
        values["uid"] = int(uid)
    secrets = values.get("pull_secrets", ())
    if isinstance(secrets, str):
        raise SettingsError("pull_secrets: expected a list of names of Secrets, got text.")
    return ClusterSettings(**{**values, "pull_secrets": tuple(str(one) for one in secrets)})


def _boolean(key: str, value: Any) -> bool:
    found = to_boolean(str(value))
    if found is None:
        raise SettingsError(f"{key}: expected true or false, got '{value}'.")
    return found
