#!/usr/bin/env bash
# Builds the engine for WebAssembly and runs it in Node: every template must give the report that the native build gives, to the
# byte. The library is also built for browsers (wasm32-unknown-unknown); what runs in Node is the command line (wasm32-wasip1).
set -Eeuo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"

rustup target add wasm32-unknown-unknown wasm32-wasip1 >/dev/null 2>&1
cargo build --release --locked -p engine --lib --no-default-features --target wasm32-unknown-unknown
cargo build --release --locked -p engine --bin engine --target wasm32-wasip1
cargo build --release --locked -p engine --bin engine

native="$target/release/engine"
module="$target/wasm32-wasip1/release/engine.wasm"
run=(simulate --json --records 20000 --operations 2000 --seed 7)
checked=0
for template in $("$native" templates | sed -n '/^designs/,/^workloads/s/^  \([^ ]*\).*/\1/p'); do
  expected="$("$native" "${run[@]}" --template "$template" | sha256sum)"
  found="$(node --no-warnings scripts/wasi.mjs "$module" "${run[@]}" --template "$template" | sha256sum)"
  [ "$expected" = "$found" ] || { echo "$template: the report in Node is another one" >&2; exit 1; }
  checked=$((checked + 1))
done
echo "$checked templates give the same bytes in Node as natively"
speed=(simulate --template heap-btree --trace none --records 1000000 --operations 3000000 --clients 1)
for runner in "$native" "node --no-warnings scripts/wasi.mjs $module"; do
  echo "$runner"
  # shellcheck disable=SC2086 # words of a command
  ( time $runner "${speed[@]}" >/dev/null ) 2>&1 | grep user
done
