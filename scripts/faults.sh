#!/usr/bin/env bash
# The fault suite: the real programs, on a PostgreSQL and a Redis of its own, while something breaks. It prints a table.
# usage: faults.sh [SCENARIO...]; without any, all of them. FAULT_SEED, FAULT_JOBS and FAULT_MINUTES are explained in
# api/tests/faults/main.rs.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
install_server_packages
# The suite runs the programs as they lie beside each other.
cargo build --locked -p api -p worker --bins
exec cargo test --locked -p api --test faults -- "$@"
