#!/usr/bin/env bash
# The one test command. Installs what is missing by package name, starts a PostgreSQL with a replica and a Redis of its own
# on free ports, checks format and lints, runs every test in both modes, and then the product itself end to end.
# It leaves nothing behind, however it ends, and exits with a status other than 0 when anything fails.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

WORK="$(mktemp -d)"
chmod 755 "$WORK"   # the user who runs PostgreSQL must get through
SERVER_PID="" REPLICA_PID="" REDIS_PID=""

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

clean_up() {
  status=$?
  trap - EXIT INT TERM HUP
  if [ -n "$REPLICA_PID" ]; then stop "$REPLICA_PID" INT; fi
  if [ -n "$SERVER_PID" ]; then stop "$SERVER_PID" INT; fi   # PostgreSQL's word for a fast shutdown
  if [ -n "$REDIS_PID" ]; then stop "$REDIS_PID" TERM; fi
  if [ "$status" -ne 0 ]; then
    echo "== failed with status $status after $SECONDS s" >&2
  fi
  rm -rf "$WORK"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

stop() {
  kill -s "$2" "$1" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -s KILL "$1" 2>/dev/null || true
}

source scripts/packages.sh
source scripts/ports.sh

say "packages"
install_packages

# Servers run in sessions of their own: Ctrl-C must reach this script first, which then stops them in order.
# run_postgres NAME PORT: on the data in the folder of that name; its process is POSTGRES_PID then.
run_postgres() {
  local data="$WORK/$1" port="$2"
  # Data that goes with the test run need not survive a crash.
  setsid "${AS_POSTGRES[@]}" "$(postgres_folder)/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$data" \
    -c max_connections=400 -c fsync=off -c synchronous_commit=off -c full_page_writes=off >"$WORK/$1.log" 2>&1 &
  POSTGRES_PID=$!
}

# await_postgres NAME PORT PID
await_postgres() {
  until "$(postgres_folder)/pg_isready" --quiet --host=127.0.0.1 --port="$2"; do
    kill -0 "$3" || { cat "$WORK/$1.log" >&2; return 1; }
    sleep 0.1
  done
}

start_postgres() {
  make_server_folder "$WORK/postgres"
  "${AS_POSTGRES[@]}" "$(postgres_folder)/initdb" --pgdata="$WORK/postgres" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >"$WORK/initdb.log"
  run_postgres postgres "$1"
  SERVER_PID=$POSTGRES_PID
  await_postgres postgres "$1" "$SERVER_PID"
}

# start_replica PORT PRIMARY_PORT
start_replica() {
  make_server_folder "$WORK/replica"
  "${AS_POSTGRES[@]}" "$(postgres_folder)/pg_basebackup" --pgdata="$WORK/replica" --host=127.0.0.1 --port="$2" --username=postgres \
    --write-recovery-conf --checkpoint=fast --no-sync 2>"$WORK/basebackup.log" || { cat "$WORK/basebackup.log" >&2; return 1; }
  run_postgres replica "$1"
  REPLICA_PID=$POSTGRES_PID
  await_postgres replica "$1" "$REPLICA_PID"
}

start_redis() {
  mkdir "$WORK/redis"
  setsid redis-server --bind 127.0.0.1 --port "$1" --dir "$WORK/redis" --save '' --appendonly no >"$WORK/redis.log" 2>&1 &
  REDIS_PID=$!
  await_port "$1" "$REDIS_PID" || { cat "$WORK/redis.log" >&2; return 1; }
}

say "PostgreSQL, its replica, and Redis"
postgres_port="$(free_port)"
start_postgres "$postgres_port"
replica_port="$(free_port)"
start_replica "$replica_port" "$postgres_port"
redis_port="$(free_port)"
start_redis "$redis_port"
export TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$postgres_port/postgres"
export TEST_REPLICA_URL="postgres://postgres@127.0.0.1:$replica_port/postgres"
export TEST_REDIS_URL="redis://127.0.0.1:$redis_port"

say "format"
cargo fmt --all --check

say "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo clippy --workspace --test faults --locked -- -D warnings

say "tests"
cargo test --workspace --locked

say "the schema and its clients"
node api/tests/clients/cache-settings.mjs --check
node --test api/tests/clients/breaking-changes.test.mjs
node api/tests/clients/breaking-changes.mjs
node api/tests/clients/sdl/check.mjs

say "docker-compose.yml"
check_compose

# With the programs that the tests were built with.
say "end to end"
scripts/e2e.sh "$WORK"

# The short form; the seed is another one every day.
say "faults"
scripts/faults.sh

say "all is well"
