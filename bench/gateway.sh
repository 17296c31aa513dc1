#!/usr/bin/env bash
# What requests cost the API process and PostgreSQL, side by side with what a team would write instead (bench/peers), in one run, on the
# same rows: prints a table as Markdown. Servers of its own: PostgreSQL with pg_stat_statements, Redis, and one process a peer.
# usage: gateway.sh [PROGRAM]
# environment: REQUESTS a round (2000), CONNECTIONS (64), ROUNDS (2), RUNS of each design (20), ONLY a peer or an operation
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PROGRAM="$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release/api}")"
source bench/stage.sh

start_redis
start_postgres -c max_connections=200 -c synchronous_commit=off -c shared_preload_libraries=pg_stat_statements
mkdir "$WORK/api"
export DATABASE_URL="postgres://postgres@127.0.0.1:$POSTGRES_PORT/postgres"
sql() { "$(postgres_folder)/psql" --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --dbname="$DATABASE_URL" "$@"; }
api_port="$(free_port)"
# As many connections as the peers' pools have; everything that guards and logs is on, but the points are not counted down.
start gateway "$api_port" env --chdir="$WORK/api" REDIS_URL="redis://127.0.0.1:$REDIS_PORT" JWT_SECRET="a secret of a bench, 32 bytes or more" \
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

TOKEN="$(cat "$WORK/token")" POSTGRES_PID="$POSTGRES_PID" node bench/gateway.mjs measure \
  "gateway=$api_port:$api_pid" "mercurius=$mercurius_port:$mercurius_pid" "postgraphile=$postgraphile_port:$postgraphile_pid"
