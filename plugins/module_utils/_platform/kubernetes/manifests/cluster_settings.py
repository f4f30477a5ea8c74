# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster's users decide about the objects of a demo; everything else follows from its workloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ansible_collections.meshlab.envoy.plugins.module_utils._common.boolean import to_boolean

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
Termination = Literal["passthrough", "reencrypt"]


class SettingsError(ValueError):
    """A setting that cannot be meant: which, and what may be said."""


@dataclass(frozen=True)
class Settings:
    """`uid` is the user that containers run as, None where the cluster chooses one, as OpenShift does."""

    uid: int | None = 65532
    # Of the Services of published ports.
    service_type: ServiceType = "ClusterIP"
    # Names of Secrets by which images are pulled.
    pull_secrets: tuple[str, ...] = ()
    # OpenShift: Routes to published ports, their hosts below `domain` (else the cluster makes them up); how those to listeners
    # with TLS end it.
    routes: bool = False
    domain: str = ""
    termination: Termination = "passthrough"
    # Gateway API: `name` or `namespace/name` of a Gateway that HTTPRoutes are attached to.
    gateway: str = ""
    # Whether a mesh puts a proxy of its own into the pods; said by who plans, not by who uses the cluster.
    injected: bool = False


def read_settings(data: Mapping[str, Any], openshift: bool) -> Settings:
    """Return the settings in `data`; what is missing or null has its default. Raises SettingsError."""
    known = [one.name for one in fields(Settings) if one.name != "injected"]
    for key in data:
        if key not in known:
            raise SettingsError(f"{key}: there is no such key; there is: {', '.join(known)}")
    values: dict[str, Any] = {"uid": None, "routes": True} if openshift else {}
    values.update({key: value for key, value in data.items() if value is not None and value != ""})
    for key, choices in (("service_type", get_args(ServiceType)), ("termination", get_args(Termination))):
        if key in values and values[key] not in choices:
            raise SettingsError(f"{key}: '{values[key]}' is not one of {', '.join(choices)}")
    if "routes" in values:
        values["routes"] = _truth("routes", values["routes"])
    if values.get("uid") is not None:
        uid = str(values["uid"])
        if not uid.isdigit() or int(uid) == 0:
            raise SettingsError(f"uid: has to be the number of a user that is not root, not '{uid}'")
        values["uid"] = int(uid)
    secrets = values.get("pull_secrets", ())
    if isinstance(secrets, str):
        raise SettingsError("pull_secrets: has to be a list of names of Secrets")
    return Settings(**{**values, "pull_secrets": tuple(str(one) for one in secrets)})


def _truth(key: str, value: Any) -> bool:
    found = to_boolean(str(value))
    if found is None:
        raise SettingsError(f"{key}: has to be true or false, not '{value}'")
    return found
