#!/bin/sh
# Replace the database by a dump of backup.sh, in one transaction: all of it, or nothing.
#
#   DATABASE_URL=postgresql://… deploy/restore.sh FILE          into an empty database
#   DATABASE_URL=postgresql://… deploy/restore.sh FILE --replace  what is there is lost
#
# The connection is chosen as in backup.sh. Stop web, worker and beat first: it refuses while other
# sessions are connected. docs/operations.md, "Restore a backup", lists the steps before and after.
set -eu
umask 077
file=${1:?usage: restore.sh FILE [--replace]}
[ -z "${DATABASE_PASSWORD:-}" ] || { PGPASSWORD=$DATABASE_PASSWORD; export PGPASSWORD; }
[ -z "${PGPASSWORD_FILE:-}" ] || { PGPASSWORD=$(cat "$PGPASSWORD_FILE"); export PGPASSWORD; }
script=$(mktemp)
trap 'rm -f "$script"' EXIT

run() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 ${DATABASE_URL:+--dbname "$DATABASE_URL"} "$@"; }
ask() { run --tuples-only --no-align --command "$1"; }

others=$(ask "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND backend_type = 'client backend'")
[ "$others" = 0 ] || { echo "$others connections are open: stop web, worker and beat first" >&2; exit 1; }
tables=$(ask "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
[ "$tables" = 0 ] || [ "${2:-}" = --replace ] || {
    echo "the database holds $tables tables: --replace gives them up" >&2; exit 1; }

# A dump that ends early fails here, before anything is dropped.
{
    echo 'SET client_min_messages = warning;'
    echo 'DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;'
    pg_restore --no-owner --no-privileges --schema=public --file=- "$file"
} >"$script" || { echo "$file cannot be read to its end" >&2; exit 1; }
run --single-transaction --output /dev/null --file "$script"
echo "restored; now: python manage.py migrate, start the processes, python manage.py reconcile --all, python manage.py doctor"
