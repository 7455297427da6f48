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
npm install --prefix "$tools" --no-audit --no-fund --no-save --no-package-lock --loglevel=error \
    snarkjs@0.7.6 circom2@0.2.23
PATH="$tools/node_modules/.bin:$PATH" "${PYTHON:-python3}" -m pytest -m snarkjs tests/snarkjs
