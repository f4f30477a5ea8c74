# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files from Debian: packages, the compose plugin, and the root file systems of images."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .base import CACHE, LabError, log, require_root, run, which

#: command -> its package
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
    "promtool": "prometheus",
    "redis-server": "redis-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "nft": "nftables",
    "h2load": "nghttp2-client",
    "openssl": "openssl",
    "podman": "podman",
    "chromium": "chromium",
    "newuidmap": "uidmap",
    "slirp4netns": "slirp4netns",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
}
#: Debian 12 has no compose v2; this suite's package is one static Go binary.
COMPOSE_SUITE = "trixie"
_POLICY = Path("/usr/sbin/policy-rc.d")
#: files that no program of an image reads; the just-in-time compiler and Perl are half of PostgreSQL's dependencies
_EXCLUDED = (
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
    """Return the code name of this Debian, for example bookworm."""
    with contextlib.suppress(OSError):
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
            if line.startswith("VERSION_CODENAME="):
                return line.partition("=")[2].strip('"')
    raise LabError(
        "The lab starts daemons only on Debian. Start Docker, or set KUBECONFIG, and run the command again."
    )


@contextlib.contextmanager
def _no_service_starts():
    """Prevent Debian packages from starting their daemons at installation; the lab starts its own."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def require(*commands: str) -> None:
    """Install the packages of missing commands."""
    missing = sorted({PACKAGES[command] for command in commands if not which(command)})
    if not missing:
        return
    require_root(f"install {', '.join(missing)}")
    _suite()
    log(f"installing {', '.join(missing)}")
    run(["apt-get", "-qq", "update"], check=False)  # a failure matters only if the installation fails too
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
    """Return the URL from which apt downloads Debian's component main."""
    listing = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    )
    for line in listing.stdout.splitlines():
        uri, suite, component = line.split()
        if (suite, component) == (_suite(), "main"):
            return uri
    raise LabError(
        f"apt has no source for {_suite()} main, which the lab needs to download packages of {COMPOSE_SUITE}. Add one to apt's sources."
    )


def compose_plugin() -> Path:
    """Return the path of the compose v2 plugin from the package of a newer suite, without a change to apt's sources."""
    plugin = CACHE / "bin" / f"docker-compose-{COMPOSE_SUITE}"
    if plugin.exists():
        return plugin
    log(f"downloading compose v2 from Debian {COMPOSE_SUITE}")
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
        *(argument for name, value in settings.items() for argument in ("-o", f"{name}={value}")),
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
    """Write a tar of packages and their dependencies, unpacked but not configured."""
    require("mmdebstrap")
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED]
    run(["mmdebstrap", "--variant=extract", f"--include={','.join(packages)}", *options, _suite(), target])
