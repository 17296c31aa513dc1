#!/usr/bin/env bash
# How much memory one api process takes to keep many idle subscriptions, each on a WebSocket of its own, and whether it lets go of
# them: prints the resident memory before, with all of them open, and after, and fails when they take more than 1 GiB or outlive
# their sockets.
# usage: subscriptions.sh [COUNT] [PROGRAM]
# TEST_DATABASE_URL and TEST_REDIS_URL name servers that it may use; no worker runs, so the watched job stays queued.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
COUNT="${1:-10000}"
PROGRAM="$(realpath "${2:-${CARGO_TARGET_DIR:-target}/release/api}")"
source scripts/packages.sh
source scripts/ports.sh
ulimit -n "$((COUNT + 1000))"

WORK="$(mktemp -d)"
API_PID=""
clean_up() {
  status=$?
  trap - EXIT INT TERM
  [ -z "$API_PID" ] || kill -s KILL "$API_PID" 2>/dev/null || true
  [ "$status" -eq 0 ] || tail -n 20 "$WORK/api.log" >&2 || true
  rm -rf "$WORK"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

database="bench_$$"
"$(postgres_folder)/psql" --quiet --dbname="$TEST_DATABASE_URL" --command="CREATE DATABASE $database"
export DATABASE_URL="${TEST_DATABASE_URL%/*}/$database" REDIS_URL="$TEST_REDIS_URL"
export JWT_SECRET="a secret of a bench, 32 bytes or more"
port="$(free_port)"
cd "$WORK"
# One user at one address stands for many.
BIND="127.0.0.1:$port" RATE_LIMIT_FREE=off LIVE_SUBSCRIPTIONS_FREE="$COUNT" SOCKETS_PER_ADDRESS="$COUNT" RUST_LOG=warn "$PROGRAM" >"$WORK/api.log" 2>&1 &
API_PID=$!
cd "$OLDPWD"
await_port "$port" "$API_PID"
node bench/subscriptions.mjs "http://127.0.0.1:$port" "$API_PID" "$COUNT"
