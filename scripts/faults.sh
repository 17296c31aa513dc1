#!/usr/bin/env bash
# The fault suite: the real programs, on a PostgreSQL and a Redis of its own, while something breaks. It prints a table.
# usage: faults.sh [SCENARIO...]; without any, all of them. FAULT_SEED, FAULT_JOBS and FAULT_MINUTES are explained in
# api/tests/faults/main.rs.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
install_server_packages
# The suite runs the programs as they lie beside each other. All tests are built, because the same packages are built for them: another
# selection would have other features, and would build the programs once more.
cargo test --locked --workspace --no-run
exec cargo test --locked --workspace --test faults -- "$@"
