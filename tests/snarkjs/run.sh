#!/usr/bin/env bash
# The tests against snarkjs and circom: installs both from npm into a folder of the project, then
# runs the tier. PYTHON is an interpreter with zkcmp's dev requirements.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v npm > /dev/null || ! command -v node > /dev/null; then
    echo "skipped: the snarkjs tests need node and npm, which are not installed here"
    exit 0
fi
tools=$PWD/.snarkjs
quick=(--fetch-retries=1 --fetch-timeout=60000 --loglevel=error)
# with a registry that answers now and then, npm would try seventy packages again for an hour
limit=()
if command -v timeout > /dev/null; then limit=(timeout 300); fi
installed=0
"${limit[@]}" npm install --prefix "$tools" --no-audit --no-fund --no-save --no-package-lock \
    "${quick[@]}" snarkjs@0.7.6 circom2@0.2.23 || installed=$?
if [ "$installed" -ne 0 ]; then
    if [ "$installed" -ne 124 ] && "${limit[@]}" npm ping "${quick[@]}" > /dev/null 2>&1; then
        echo "npm reaches its registry and cannot install snarkjs and circom2 from it" >&2
        exit 1
    fi
    echo "skipped: the snarkjs tests need npm's registry, which cannot be reached from here"
    exit 0
fi
PATH="$tools/node_modules/.bin:$PATH" "${PYTHON:-python3}" -m pytest -m snarkjs tests/snarkjs
