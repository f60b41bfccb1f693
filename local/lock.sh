#!/bin/sh
# The two locks, for every platform and Python from 3.11 on, with hashes.
#   sh local/lock.sh [FOLDER]
set -eu
folder=${1:-.}
lock() {
    output=$1
    shift
    .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --output-file "$folder/$output" "$@"
}
lock requirements.lock
lock requirements-dev.lock --group dev
