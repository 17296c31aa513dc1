#!/usr/bin/env bash
# How fast the queue is, beside BullMQ (bench/peers) on the same Redis in the same run: prints tables as Markdown. Servers of its
# own: a Redis that keeps nothing on disk, and a PostgreSQL that commits durably.
# usage: queue.sh [PROGRAM], which is built by: cargo build --release -p worker --example queue_bench
# environment: JOBS a round (50000), CONCURRENCY (50), ROUNDS (3), FULL: jobs with their rows (3000), BACKLOG (1000000)
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PROGRAM="$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release/examples/queue_bench}")"
source scripts/packages.sh
source scripts/ports.sh
[ bench/peers/node_modules/.package-lock.json -nt bench/peers/package-lock.json ] || npm ci --prefix bench/peers --no-audit --no-fund

WORK="$(mktemp -d)"
PIDS=()
clean_up() {
  status=$?
  trap - EXIT INT TERM
  [ "$status" -eq 0 ] || tail -n 5 "$WORK"/*.log >&2 || true
  for pid in "${PIDS[@]}"; do kill -s INT "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$WORK"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

chmod 755 "$WORK"
mkdir "$WORK/redis"
make_server_folder "$WORK/postgres"
export REDIS_PORT
REDIS_PORT="$(free_port)"
setsid redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$WORK/redis" --save '' --appendonly no >"$WORK/redis.log" 2>&1 &
PIDS+=("$!")
await_port "$REDIS_PORT" "$!"
bin="$(postgres_folder)"
postgres_port="$(free_port)"
"${AS_POSTGRES[@]}" "$bin/initdb" --pgdata="$WORK/postgres" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >"$WORK/initdb.log"
setsid "${AS_POSTGRES[@]}" "$bin/postgres" -D "$WORK/postgres" -p "$postgres_port" -c listen_addresses=127.0.0.1 \
  -c unix_socket_directories="$WORK/postgres" -c shared_buffers=256MB >"$WORK/postgres.log" 2>&1 &
PIDS+=("$!")
until "$bin/pg_isready" --quiet --host=127.0.0.1 --port="$postgres_port"; do sleep 0.1; done
export TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$postgres_port/postgres" TEST_REDIS_URL="redis://127.0.0.1:$REDIS_PORT"

node bench/queue.mjs "$PROGRAM"
