#!/bin/bash
# The part of the official image's contract that the chart uses: POSTGRES_USER, POSTGRES_PASSWORD
# or POSTGRES_PASSWORD_FILE, POSTGRES_DB, POSTGRES_INITDB_ARGS, PGDATA, /docker-entrypoint-initdb.d.
set -Eeuo pipefail

fail() {
    echo "postgres: $*" >&2
    exit 1
}

read_password() {
    if [[ -n ${POSTGRES_PASSWORD_FILE:-} ]]; then
        POSTGRES_PASSWORD=$(<"$POSTGRES_PASSWORD_FILE")
    fi
    [[ -n ${POSTGRES_PASSWORD:-} ]] || fail "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
}

run_init_files() {
    local psql=(psql --no-psqlrc -v ON_ERROR_STOP=1 -h "$1" -U "$POSTGRES_USER") file
    if [[ $POSTGRES_DB != postgres ]]; then
        "${psql[@]}" -d postgres -v name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) PGHOST=$1 PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB . "$file" ;;
            *.sql) "${psql[@]}" -d "$POSTGRES_DB" -f "$file" ;;
        esac
    done
}

# PG_VERSION is moved in last, so a container killed half-way starts over instead of
# serving a database that was never set up.
initialize() {
    local fresh=$PGDATA/.initializing
    if [[ -d $fresh ]]; then
        find "$PGDATA" -mindepth 1 -delete
    fi
    # shellcheck disable=SC2086  # several words are the point
    initdb -D "$fresh" -U "$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >>"$fresh/pg_hba.conf"
    pg_ctl -D "$fresh" -w -o "-c listen_addresses='' -k '$fresh'" start
    PGPASSWORD=$POSTGRES_PASSWORD run_init_files "$fresh"
    pg_ctl -D "$fresh" -w -m fast stop
    find "$fresh" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -f -t "$PGDATA" {} +
    mv "$fresh/PG_VERSION" "$PGDATA"
    rmdir "$fresh"
}

serve() {
    local server status=0
    "$@" &
    server=$!
    # SIGTERM alone would wait for every client to leave.
    trap 'kill -INT "$server"' TERM INT
    while kill -0 "$server" 2>/dev/null; do
        status=0
        wait "$server" || status=$?
    done
    exit "$status"
}

[[ ${1:-} == -* ]] && set -- postgres "$@"
[[ ${1:-postgres} == postgres ]] || exec "$@"
shift || true

export PGDATA=${PGDATA:-/var/lib/postgresql/data}
export POSTGRES_USER=${POSTGRES_USER:-postgres}
export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
mkdir -p "$PGDATA"
chmod 0700 "$PGDATA" 2>/dev/null || true
if [[ ! -s $PGDATA/PG_VERSION ]]; then
    read_password
    initialize
fi
serve postgres -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
