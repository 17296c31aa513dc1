#!/usr/bin/env bash
# What requests cost the API process and PostgreSQL, side by side with what a team would write instead (bench/peers), in one run, on the
# same rows: prints a table as Markdown. Servers of its own: PostgreSQL with pg_stat_statements, Redis, and one process a peer.
# usage: gateway.sh [PROGRAM]
# environment: REQUESTS a round (2000), CONNECTIONS (64), ROUNDS (2), RUNS of each design (20), ONLY a peer or an operation
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PROGRAM="$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release/api}")"
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

# start NAME PORT PROGRAM ARGUMENT...: in the background; returns when it listens.
start() {
  local name="$1" port="$2"
  shift 2
  setsid "$@" >"$WORK/$name.log" 2>&1 &
  PIDS+=("$!")
  await_port "$port" "$!"
}

bin="$(postgres_folder)"
user=()
chmod 755 "$WORK"
mkdir "$WORK/postgres" "$WORK/redis" "$WORK/api"
if [ "$(id -u)" -eq 0 ]; then
  # PostgreSQL refuses to run as root.
  chown postgres "$WORK/postgres"
  user=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi
(cd "$WORK" && "${user[@]}" "$bin/initdb" --pgdata="$WORK/postgres" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null)
postgres_port="$(free_port)"
start postgres "$postgres_port" "${user[@]}" "$bin/postgres" -D "$WORK/postgres" -p "$postgres_port" -c listen_addresses=127.0.0.1 \
  -c unix_socket_directories="$WORK/postgres" -c max_connections=200 -c synchronous_commit=off -c shared_buffers=256MB \
  -c shared_preload_libraries=pg_stat_statements
until "$bin/pg_isready" --quiet --username=postgres --host=127.0.0.1 --port="$postgres_port"; do sleep 0.1; done
export DATABASE_URL="postgres://postgres@127.0.0.1:$postgres_port/postgres"
sql() { "$bin/psql" --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --dbname="$DATABASE_URL" "$@"; }
redis_port="$(free_port)"
start redis "$redis_port" redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$WORK/redis" --save '' --appendonly no

api_port="$(free_port)"
# As many connections as the peers' pools have; everything that guards and logs is on, but the points are not counted down.
start gateway "$api_port" env --chdir="$WORK/api" REDIS_URL="redis://127.0.0.1:$redis_port" JWT_SECRET="a secret of a bench, 32 bytes or more" \
  BIND="127.0.0.1:$api_port" RATE_LIMIT_ANONYMOUS=off RATE_LIMIT_FREE=off DATABASE_CONNECTIONS=16 RUST_LOG="${RUST_LOG:-warn}" LOG_FORMAT=json \
  "$PROGRAM"
api_pid="${PIDS[-1]}"
node bench/gateway.mjs register "http://127.0.0.1:$api_port" >"$WORK/token"
sql --set=owner=bench --set=runs="${RUNS:-20}" --file=bench/seed.sql
sql --command="CREATE EXTENSION pg_stat_statements"

mercurius_port="$(free_port)"
start mercurius "$mercurius_port" node bench/peers/mercurius.mjs "$DATABASE_URL" "$mercurius_port"
mercurius_pid="${PIDS[-1]}"
postgraphile_port="$(free_port)"
start postgraphile "$postgraphile_port" env NODE_ENV=production GRAPHILE_ENV=production \
  bench/peers/node_modules/node/bin/node bench/peers/postgraphile.mjs "$DATABASE_URL" "$postgraphile_port"
postgraphile_pid="${PIDS[-1]}"

TOKEN="$(cat "$WORK/token")" POSTGRES_PID="${PIDS[0]}" node bench/gateway.mjs measure \
  "gateway=$api_port:$api_pid" "mercurius=$mercurius_port:$mercurius_pid" "postgraphile=$postgraphile_port:$postgraphile_pid"
