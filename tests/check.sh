#!/usr/bin/env bash
# Everything that must hold: format, lint, types, layers, tests.
set -euo pipefail
cd "$(dirname "$0")/.."
ruff format --check --quiet .
ruff check --quiet .
mypy
python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder "$@"
