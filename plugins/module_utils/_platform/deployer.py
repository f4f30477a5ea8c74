# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface that each platform implements to deploy a demo, with its input, result and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Replacement, Workload

# Number of log lines in the error about a workload that does not run.
LAST_LINES = 8


class PlatformRefused(Exception):
    """A problem that was found before anything was changed. The text is one sentence with the problem and what to do."""


class PlatformUnavailable(PlatformRefused):
    """A missing prerequisite (Docker, an executable) that a task before this one may install: in check mode a warning."""


class PlatformFailed(Exception):
    """Workloads that did not start or did not become ready: one report for each, with the last lines of its log."""


@dataclass(frozen=True)
class DeploymentSpec:
    """What a deployer is made for: the workloads of one demo, and how to reach the platform.

    Attributes:
        name: The name of the demo, of its compose project and of the value of its label in a cluster.
        folder: The state folder, absolute and without symbolic links.
        workloads: The workloads of the demo.
        bind: The address that published ports are bound to.
        manifests: The objects of the demo in a cluster, Secrets included.
        admins: The plan's `admins`: where the admin interface of each proxy is.
        watched_files: For each proxy the paths, relative to `folder`, of the files that it watches.
        cluster: The options of the Kubernetes client, as in the module option `cluster`.
        supervisord: The supervisord executable, by path or by name in PATH.
        files: The paths of all files of the plan, relative to `folder`.
        timeout: Seconds until a replica has to be ready, before the next one is replaced.
        drain_timeout: Seconds to wait for the connections of a workload that was replaced, before it is stopped.
        progress: Receives what a phase waits for.
    """

    name: str
    folder: Path
    workloads: tuple[Workload, ...] = ()
    bind: str = "127.0.0.1"
    manifests: tuple[Mapping[str, Any], ...] = ()
    admins: tuple[Mapping[str, Any], ...] = ()
    watched_files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)
    supervisord: str = "supervisord"
    files: frozenset[str] = frozenset()
    timeout: float = 60
    drain_timeout: float = 10
    progress: Progress = no_progress


def admin_workload(admin: Mapping[str, Any]) -> str:
    """Return the workload whose admin interface is an entry of the plan's `admins`."""
    return str(admin.get("workload") or admin["proxy"])


@dataclass(frozen=True)
class AppliedChanges:
    """The names of the workloads, and of a cluster's objects, that were changed or that a dry run would change.

    Attributes:
        started: Workloads that did not run before.
        restarted: Workloads that ran and were replaced.
        removed: Workloads that were stopped and removed.
        objects: Objects of a cluster that were created, changed or deleted, as in `Deployment/front-proxy-edge`.
        diff: Ansible's diff of these objects.
        replaced: How each restarted workload was replaced: a value of `Replacement`.
    """

    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    diff: tuple[dict[str, Any], ...] = ()
    replaced: Mapping[str, Replacement] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Return whether anything differs."""
        return bool(self.started or self.restarted or self.removed or self.objects)


class Deployer(Protocol):
    """Deploys the workloads of one demo on one platform.

    `deploy` calls the methods in this order: location, preflight, missing_images, pull_images, prepare_start, config_targets, (the
    files are checked, and written to the state folder), apply, wait_until_ready, (running proxies load their new files),
    wait_until_discovered, remove_unlisted, close. In check mode prepare_start is not called, and predict replaces everything after
    config_targets. `teardown` calls location, is_deployed, running_workloads (check mode) or remove_all, close.

    Until apply is called, nothing on the platform is changed except that images are pulled or built, and packages installed. Each method
    can raise PlatformUnavailable where the platform itself does not answer.
    """

    document_path: str
    """The path, relative to the state folder, of the file that describes the workloads to this platform."""

    can_restore: bool
    """Whether the platform can return to its previous workloads when a change fails: `previous_document` and `restore`."""

    @property
    def warnings(self) -> Sequence[str]:
        """What preflight found and the user should know before anything changes, in sentences."""

    def __init__(self, spec: DeploymentSpec) -> None:
        """Make a deployer. Nothing is read or changed."""

    def location(self) -> str:
        """Return a text that identifies where the workloads run; the state folder stores it and refuses another location.

        Raises:
            PlatformRefused: The location is unknown, for example because no cluster is configured.
        """

    def preflight(self) -> None:
        """Check everything that can prevent the deployment, and change nothing.

        Raises:
            PlatformRefused: A port is in use, an executable is for another architecture, the API server rejects an object.
        """

    def config_targets(self) -> Mapping[str, ConfigTarget]:
        """Return, by proxy, where its watched files are when that is not the state folder. Call it after preflight."""

    def missing_images(self) -> tuple[str, ...]:
        """Return the images that have to be pulled or built before apply, or the environments with packages of processes."""

    def pull_images(self, images: Iterable[str]) -> None:
        """Pull and build images, or install packages.

        Raises:
            PlatformRefused: An image does not exist or cannot be pulled or built; all images that cannot be pulled are named.
        """

    def prepare_start(self) -> None:
        """Begin what apply needs later, before the files are checked. It changes nothing; `close` ends what apply did not use."""

    def predict(self, document: str) -> AppliedChanges:
        """Return what apply and remove_unlisted would do with the text `document` at `document_path`; change nothing."""

    def apply(self) -> AppliedChanges:
        """Start what does not run and restart what differs from the document. Everything else keeps running.

        Raises:
            PlatformFailed: A workload cannot be started.
        """

    def wait_until_ready(self, timeout: float) -> None:
        """Return when the probe of every workload succeeds.

        Raises:
            PlatformFailed: A workload ended, or is not ready after `timeout` seconds.
        """

    def wait_until_discovered(self, timeout: float) -> None:
        """Return when every proxy has discovered the endpoints of the workloads that it sends requests to.

        Raises:
            PlatformFailed: A proxy did not discover an endpoint within `timeout` seconds.
        """

    def remove_unlisted(self) -> AppliedChanges:
        """Stop and remove the workloads of the demo that the document does not list any more.

        Raises:
            PlatformFailed: A workload cannot be removed.
        """

    def previous_document(self, document: str) -> tuple[str, Mapping[str, int]]:
        """Return the document to return to after a failure, and the generations that differ from those of `document`.

        A workload that cannot run again in its previous generation gets a further one, with the previous configuration.
        """

    def restore(self) -> None:
        """Run the workloads of the previous document again, which was written. Call it after `previous_document`.

        Raises:
            PlatformFailed: A previous workload does not run.
        """

    def running_workloads(self) -> tuple[str, ...]:
        """Return the names of the demo's workloads that run, listed or not."""

    def is_deployed(self) -> bool:
        """Return whether anything of the demo exists on the platform, so that remove_all has something to do."""

    def remove_all(self) -> tuple[str, ...]:
        """Stop and remove the workloads, and what the platform wrote to the state folder; return what ran.

        Raises:
            PlatformRefused: The workloads belong to another folder.
            PlatformFailed: A workload cannot be removed.
        """

    def close(self) -> None:
        """Close connections. Call it in any case."""


class WithoutRestoration:
    """The members of a platform that cannot return to its previous workloads, warns of nothing and prepares no start."""

    warnings: Sequence[str] = ()
    can_restore = False

    def previous_document(self, document: str) -> tuple[str, Mapping[str, int]]:
        """Return the document itself."""
        return document, {}

    def restore(self) -> None:
        """Return at once."""

    def prepare_start(self) -> None:
        """Return at once."""


class HostDeployer(WithoutRestoration):
    """The methods without work on platforms whose workloads read the state folder of this host."""

    def config_targets(self) -> Mapping[str, ConfigTarget]:
        """Return nothing: proxies watch the files in the state folder."""
        return {}

    def wait_until_discovered(self, timeout: float) -> None:
        """Return at once: names resolve as soon as a workload runs."""

    def close(self) -> None:
        """Return at once: no connection is kept."""


def sorted_names(items: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names, sorted."""
    return tuple(sorted(set(items)))


def as_sentence(text: object) -> str:
    """Return a text with a full stop where it has no end mark."""
    sentence = str(text)
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def with_last_lines(problem: str, lines: Sequence[str], log: str) -> str:
    """Return an error text with the last lines of a log below it.

    Args:
        problem: What is wrong with which workload, as in `edge ended with exit code 1`.
        lines: The log's last lines. Empty lines are left out, long ones are cut at 300 characters.
        log: The path of the log, or the command that prints it.
    """
    shown = [line.rstrip()[:300] for line in lines if line.strip()][-LAST_LINES:]
    if not shown:
        return f"{problem}. Its log is empty ({log})."
    return "\n  ".join([f"{problem}. Last lines of its log ({log}):", *shown])
