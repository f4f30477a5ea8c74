# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes from Debian: packages, the compose plugin, and the root file systems of images."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .base import CACHE, LabError, need_root, run, say, which

#: command that the lab calls -> package that holds it
PACKAGES = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "mmdebstrap": "mmdebstrap",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "useradd": "passwd",
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-save": "iptables",
    "prometheus": "prometheus",
    "redis-server": "redis-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "nft": "nftables",
    "openssl": "openssl",
}
#: Debian 12 has no compose v2; this suite's package is one static Go binary.
COMPOSE_SUITE = "trixie"
_POLICY = Path("/usr/sbin/policy-rc.d")
#: what nothing in an image reads: half of what PostgreSQL depends on is for its just-in-time compiler and for Perl
_UNREAD = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/i18n/*",
    "/usr/share/perl/*",
    "/usr/lib/*/perl/*",
    "/usr/lib/*/libLLVM*",
    "/usr/lib/*/libz3.so*",
    "/usr/lib/postgresql/*/lib/bitcode/*",
)


def _suite() -> str:
    """This Debian's code name, for example bookworm."""
    with contextlib.suppress(OSError):
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
            if line.startswith("VERSION_CODENAME="):
                return line.partition("=")[2].strip('"')
    raise LabError(
        "The lab starts daemons of its own on Debian only: on this machine, start Docker (or set KUBECONFIG) and run this again."
    )


@contextlib.contextmanager
def _no_service_starts():
    """Debian packages start their daemons when installed; the lab starts its own."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def need(*commands: str) -> None:
    """Install the packages of the commands that are missing, and nothing where none is."""
    missing = sorted({PACKAGES[command] for command in commands if not which(command)})
    if not missing:
        return
    need_root(f"install {', '.join(missing)}")
    _suite()
    say(f"installing {', '.join(missing)}")
    run(["apt-get", "-qq", "update"], check=False)  # where it matters, the install below says so
    with _no_service_starts():
        run(
            [
                "apt-get",
                "-qq",
                "-o",
                "DPkg::Lock::Timeout=300",
                "install",
                "--yes",
                "--no-install-recommends",
                *missing,
            ],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )


def _mirror() -> str:
    """Where this machine gets Debian's main component from."""
    listing = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    )
    for line in listing.stdout.splitlines():
        uri, suite, component = line.split()
        if (suite, component) == (_suite(), "main"):
            return uri
    raise LabError(
        f"apt has no source for {_suite()} main, so the lab cannot tell where to get {COMPOSE_SUITE} from."
    )


def compose_plugin() -> Path:
    """The compose v2 plugin out of a newer suite's package; apt's own sources and packages stay as they are."""
    plugin = CACHE / "bin" / f"docker-compose-{COMPOSE_SUITE}"
    if plugin.exists():
        return plugin
    say(f"getting compose v2 from Debian {COMPOSE_SUITE}")
    private = CACHE / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "unpacked"):
        (private / folder).mkdir(parents=True, exist_ok=True)
    (private / "sources.list").write_text(f"deb {_mirror()} {COMPOSE_SUITE} main\n", encoding="utf-8")
    settings = {
        "Dir::Etc::SourceList": private / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": private / "lists",
        "Dir::Cache": private / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = [
        "apt-get",
        "-qq",
        *(word for name, value in settings.items() for word in ("-o", f"{name}={value}")),
    ]
    run([*apt, "update"])
    run([*apt, "download", "docker-compose"], cwd=private)
    [package] = private.glob("docker-compose_*.deb")
    run(["dpkg-deb", "-x", package, private / "unpacked"])
    plugin.parent.mkdir(parents=True, exist_ok=True)
    (private / "unpacked/usr/libexec/docker/cli-plugins/docker-compose").replace(plugin)
    run(["rm", "-rf", private])
    return plugin


def root_file_system(packages: tuple, target: Path) -> None:
    """A tar of these packages and what they need, unpacked but not configured: quick and small."""
    need("mmdebstrap")
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _UNREAD]
    run(["mmdebstrap", "--variant=extract", f"--include={','.join(packages)}", *options, _suite(), target])
