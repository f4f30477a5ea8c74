#!/usr/bin/env bash
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Replaces the entrypoint of the official image, except for root: flags alone mean `postgres FLAGS`; an empty $PGDATA becomes a
# database cluster for any user ($POSTGRES_USER, $POSTGRES_PASSWORD, $POSTGRES_DB, $POSTGRES_INITDB_ARGS,
# $POSTGRES_HOST_AUTH_METHOD); a server that listens only on its Unix socket runs the files of /docker-entrypoint-initdb.d.
set -euo pipefail

case "${1:-}" in
    -*) set -- postgres "$@" ;;
esac

if [ "${1:-}" != postgres ] || [ -s "$PGDATA/PG_VERSION" ]; then
    exec "$@"
fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
    echo "Set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust for a database without passwords." >&2
    exit 1
fi

# initdb needs a user name, which the random user id of a pod does not have.
make_cluster() (
    if ! getent passwd "$(id -u)" > /dev/null; then
        named=$(mktemp -d)
        trap 'rm -r "$named"' EXIT
        echo "postgres:x:$(id -u):$(id -g)::$PGDATA:/bin/false" > "$named/passwd"
        echo "postgres:x:$(id -g):" > "$named/group"
        export NSS_WRAPPER_PASSWD=$named/passwd NSS_WRAPPER_GROUP=$named/group LD_PRELOAD=libnss_wrapper.so
    fi
    # shellcheck disable=SC2086  # several words
    initdb --username="$user" --pwfile=<(echo "${POSTGRES_PASSWORD:-}") ${POSTGRES_INITDB_ARGS:-}
    unset LD_PRELOAD
)

# Connects to the default socket; PGSERVICE can name another one.
query() {
    PGHOST='' PGPASSWORD=${POSTGRES_PASSWORD:-} psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username "$user" "$@"
}

mkdir -p "$PGDATA"
chmod 700 "$PGDATA"
make_cluster
echo "host all all all $method" >> "$PGDATA/pg_hba.conf"
echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
pg_ctl --pgdata "$PGDATA" --wait --options "$(printf '%q ' "${@:2}" -c listen_addresses= -p 5432)" start
if [ "$database" != postgres ]; then
    query --dbname postgres --command "CREATE DATABASE \"$database\""
else
    query --dbname postgres --command 'SELECT' > /dev/null
fi
for file in /docker-entrypoint-initdb.d/*; do
    # shellcheck source=/dev/null
    case "$file" in
        *.sql) query --dbname "$database" --file "$file" ;;
        *.sh) . "$file" ;;
    esac
done
pg_ctl --pgdata "$PGDATA" --mode fast --wait stop
exec "$@"
