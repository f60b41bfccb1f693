#!/bin/sh
# Would recompiling the locks change them? Pinned versions stay where pyproject.toml still agrees.
set -eu
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
cp requirements.lock requirements-dev.lock "$fresh"
sh local/lock.sh "$fresh"
for lock in requirements.lock requirements-dev.lock; do
    diff -u "$lock" "$fresh/$lock" || { echo "$lock is stale: run make lock" >&2; exit 1; }
done
