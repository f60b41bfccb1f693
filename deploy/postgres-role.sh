#!/bin/sh
# Run once by the postgres image, on an empty data directory: the app's role owns its database and
# nothing else. The superuser keeps no password, so it is reached from inside the container only.
set -eu
[ -z "${APP_PASSWORD_FILE:-}" ] || APP_PASSWORD=$(cat "$APP_PASSWORD_FILE")
[ -n "$APP_PASSWORD" ] || { echo "POSTGRES_PASSWORD is empty" >&2; exit 1; }
psql --set ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres \
     --set password="$APP_PASSWORD" <<'SQL'
CREATE ROLE sequra_bc LOGIN PASSWORD :'password';
CREATE DATABASE sequra_bc OWNER sequra_bc;
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
