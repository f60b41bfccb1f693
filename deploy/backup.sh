#!/bin/sh
# Dump the database into a new file of a folder, and delete dumps older than KEEP_DAYS (14).
#
#   DATABASE_URL=postgresql://… deploy/backup.sh /var/backups/sequra-bc
#
# Without DATABASE_URL the variables of libpq decide (PGHOST, PGUSER, PGDATABASE, PGPASSWORD); they
# keep a password out of the process list. PGPASSWORD_FILE names a file with the password.
# The dump holds personal data: keep it on an encrypted disk, and ENCRYPTION_KEYS elsewhere.
set -eu
umask 077
folder=${1:?usage: backup.sh FOLDER}
[ -z "${DATABASE_PASSWORD:-}" ] || { PGPASSWORD=$DATABASE_PASSWORD; export PGPASSWORD; }
[ -z "${PGPASSWORD_FILE:-}" ] || { PGPASSWORD=$(cat "$PGPASSWORD_FILE"); export PGPASSWORD; }
dump=$folder/sequra-bc-$(date -u +%Y%m%dT%H%M%SZ).dump
trap 'rm -f "$dump.partial"' EXIT

pg_dump --format=custom --no-owner --no-privileges --lock-wait-timeout=60s \
    --file "$dump.partial" ${DATABASE_URL:+--dbname "$DATABASE_URL"}
# The whole file is read back, so that a dump with a name is a dump that can be restored.
pg_restore --file=/dev/null "$dump.partial"
mv "$dump.partial" "$dump"
find "$folder" -name 'sequra-bc-*.dump' -mtime "+${KEEP_DAYS:-14}" -exec rm -f {} +
echo "$dump"
