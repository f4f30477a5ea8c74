#!/bin/sh
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Does what the official image's entrypoint does for its users: flags alone mean `envoy FLAGS`; $loglevel sets
# Envoy's log level; started as root, it runs as the envoy user, or as $ENVOY_UID and $ENVOY_GID (uid 0 stays root).
set -eu

case "${1:-}" in
    -*) set -- envoy "$@" ;;
esac

if [ "${1:-}" = envoy ] && [ -n "${loglevel:-}" ]; then
    set -- "$@" --log-level "$loglevel"
fi

if [ "$(id -u)" != 0 ] || [ "${ENVOY_UID:-}" = 0 ]; then
    exec "$@"
fi

uid=${ENVOY_UID:-101}
gid=${ENVOY_GID:-101}
chown "$uid:$gid" /dev/stdout /dev/stderr
exec setpriv --reuid "$uid" --regid "$gid" --clear-groups "$@"
