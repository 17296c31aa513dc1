#!/bin/sh
# How much faster the engine is than a straightforward port of the plan's sketches on Node, both timed in this run.
# Arguments: records and operations (a million each unless given).
set -eu
cd "$(dirname "$0")/.."
cargo build --release -p engine
exec node engine/benches/reference/compare.mjs "${CARGO_TARGET_DIR:-target}/release/engine" "$@"
