#!/usr/bin/env bash
# The product end to end, from programs that were built before: the demonstration in the embedded mode, then one api and
# two workers on PostgreSQL and Redis, with outside clients: the GraphQL-over-HTTP audits, a graphql-transport-ws client,
# Apollo Client and a browser; and one of each behind PgBouncer.
# usage: e2e.sh WORK_FOLDER; TEST_DATABASE_URL and TEST_REDIS_URL name servers that it may use.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
REPOSITORY="$PWD"
WORK="${1:?usage: e2e.sh WORK_FOLDER}"
PROGRAMS="${CARGO_TARGET_DIR:-$REPOSITORY/target}/debug"
source scripts/packages.sh
source scripts/ports.sh

declare -A PIDS=()
clean_up() {
  local status=$?
  trap - EXIT INT TERM HUP
  for name in "${!PIDS[@]}"; do
    kill -s KILL "${PIDS[$name]}" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
      echo "-- the last lines of $name:" >&2
      tail -n 30 "$WORK/$name.log" >&2 || true
    fi
  done
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() { echo "FAIL $*" >&2; exit 1; }

# start NAME PROGRAM ARGUMENT...: in the background, out of reach of Ctrl-C, with its output in a file.
start() {
  local name="$1"
  shift
  setsid "$@" >"$WORK/$name.out" 2>"$WORK/$name.log" </dev/null &
  PIDS[$name]=$!
}

# stop NAME: as a supervisor would; the process must end well by itself.
stop() {
  local name="$1" pid="${PIDS[$1]}"
  kill -s TERM "$pid"
  for _ in $(seq 200); do
    if ! kill -0 "$pid" 2>/dev/null; then
      wait "$pid" || fail "$name ended with status $? on SIGTERM"
      unset "PIDS[$name]"
      return
    fi
    sleep 0.1
  done
  fail "$name does not end on SIGTERM"
}

# await_line NAME PATTERN: until the output has such a line.
await_line() {
  for _ in $(seq 1200); do
    if grep -q -- "$2" "$WORK/$1.out"; then return 0; fi
    kill -0 "${PIDS[$1]}" 2>/dev/null || fail "$1 has ended"
    sleep 0.1
  done
  fail "$1 never printed $2"
}

check_table() {
  for expected in 'Heap + B+tree' 'Clustered B+tree' 'Throughput' 'p50' 'p95' 'p99' 'Pages read' 'Pages written' 'hit ratio' '/graphiql/'; do
    grep -qF -- "$expected" "$1" || { cat "$1"; fail "the demonstration does not print \"$expected\""; }
  done
}

counter() { curl --silent --fail "$1/metrics" | awk -v name="$2" '$1 ~ "^"name {sum += $2} END {print sum + 0}'; }

# Nothing of the caller's own configuration, and no .env file.
for variable in DATABASE_URL DATABASE_READ_URL DATABASE_POOLER REDIS_URL BIND WORKER_BIND JWT_SECRET PUBLIC_URL LOG_FORMAT RUST_LOG INTROSPECTION CORS_ORIGINS \
  TRUSTED_PROXIES TRUSTED_DOCUMENTS REQUEST_TIMEOUT_SECONDS RATE_LIMIT_ANONYMOUS RATE_LIMIT_FREE RATE_LIMIT_PREMIUM \
  LIVE_SUBSCRIPTIONS_FREE LIVE_SUBSCRIPTIONS_PREMIUM SOCKETS_PER_ADDRESS FREE_SERVER_JOBS OTEL_EXPORTER_OTLP_ENDPOINT WORKER_CONCURRENCY JOB_MEMORY_MB JOB_LEASE_SECONDS SQLITE_MAX_MB DATABASE_CONNECTIONS; do
  unset "$variable"
done
mkdir -p "$WORK/run"
cd "$WORK/run"

echo "-- the demonstration, embedded"
port="$(free_port)"
start collector node "$REPOSITORY/api/tests/clients/collector.mjs" "$port" "$WORK/spans"
await_port "$port" "${PIDS[collector]}" || fail "the collector of spans does not listen"
BIND=127.0.0.1:0 DATABASE_URL="sqlite://$WORK/data/simulator.sqlite" OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$port" \
  "$PROGRAMS/api" demo --once >"$WORK/demo.out"
check_table "$WORK/demo.out"
cat "$WORK/demo.out"
stop collector
# From the request through the resolvers to the statements, and the job that the request led to.
for span in request graphql field sea_orm job; do
  grep -qa -- "$span" "$WORK/spans" || fail "no span of \"$span\" was exported"
done

echo "-- a port in use, and a variable that breaks its rule, are one line each"
port="$(free_port)"
start holder env BIND="127.0.0.1:$port" DATABASE_URL="sqlite://$WORK/holder/simulator.sqlite" "$PROGRAMS/api"
await_port "$port" "${PIDS[holder]}" || fail "the api does not listen"
if BIND="127.0.0.1:$port" DATABASE_URL="sqlite://$WORK/second/simulator.sqlite" "$PROGRAMS/api" 2>"$WORK/second.log"; then
  fail "a second api started on the same port"
fi
[ "$(grep -c '' "$WORK/second.log")" -eq 1 ] && grep -q '^error: BIND 127.0.0.1:' "$WORK/second.log" || fail "$(cat "$WORK/second.log")"
stop holder
if BIND=here "$PROGRAMS/api" 2>"$WORK/second.log"; then fail "the api started with BIND=here"; fi
[ "$(cat "$WORK/second.log")" = "error: BIND must be an address and a port, for example 127.0.0.1:8000" ] || fail "$(cat "$WORK/second.log")"

echo "-- one api and two workers on PostgreSQL and Redis"
database="e2e_$$"
"$(postgres_folder)/psql" --quiet --dbname="$TEST_DATABASE_URL" --command="CREATE DATABASE $database"
export DATABASE_URL="${TEST_DATABASE_URL%/*}/$database" REDIS_URL="$TEST_REDIS_URL"
export JWT_SECRET="a secret of a test, 32 bytes or more"
declare -a workers=()
for i in 1 2; do
  port="$(free_port)"
  workers+=("http://127.0.0.1:$port")
  start "worker$i" env WORKER_BIND="127.0.0.1:$port" LOG_FORMAT=json "$PROGRAMS/worker"
done
port="$(free_port)"
base="http://127.0.0.1:$port"
start api env BIND="127.0.0.1:$port" LOG_FORMAT=json "$PROGRAMS/api" demo
await_line api '^Password'
check_table "$WORK/api.out"
curl --silent --fail "$base/readyz" >/dev/null || fail "the api is not ready"
completed=0
for worker in "${workers[@]}"; do
  await_port "${worker##*:}" "$$" || fail "$worker does not listen"
  curl --silent --fail "$worker/readyz" >/dev/null || fail "$worker is not ready"
  completed=$((completed + $(counter "$worker" simulation_runs_completed_total)))
done
[ "$completed" -eq 2 ] || fail "the workers completed $completed simulations, not 2"

email="$(awk '$1 == "E-mail" {print $2}' "$WORK/api.out")"
password="$(awk '$1 == "Password" {print $2}' "$WORK/api.out")"
clients="$REPOSITORY/api/tests"

echo "-- GraphQL over HTTP"
node "$clients/clients/http.mjs" "$base" "$email" "$password"

echo "-- graphql-transport-ws"
node "$clients/clients/websocket.mjs" "$base" "$email" "$password"
for _ in $(seq 50); do
  live="$(counter "$base" graphql_subscriptions_active)"
  [ "$live" -ne 0 ] || break
  sleep 0.1
done
[ "$live" -eq 0 ] || fail "$live subscriptions outlive their sockets"

echo "-- Apollo Client"
node "$clients/clients/apollo.mjs" "$base" "$email" "$password"

echo "-- the playground in a browser"
CHROMIUM="$(chromium_program)" node "$clients/browser/playground.mjs" "$base" "$email" "$password" "$WORK/playground.png"

echo "-- no secret is in a log"
for secret in "$password" "$JWT_SECRET"; do
  if grep -qF -- "$secret" "$WORK"/*.log; then fail "a secret is in a log"; fi
done

echo "-- everything ends on SIGTERM"
stop api
stop worker1
stop worker2

echo "-- an api and a worker behind PgBouncer, which gives each transaction another connection"
address="${TEST_DATABASE_URL#*@}"
address="${address%%/*}"
port="$(free_port)"
make_server_folder "$WORK/pgbouncer"
echo '"postgres" ""' >"$WORK/pgbouncer.users"
# As it comes, but for what it must know: fewer connections than people, so that they share.
cat >"$WORK/pgbouncer.ini" <<INI
[databases]
* = host=${address%:*} port=${address#*:}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir = $WORK/pgbouncer
auth_type = trust
auth_file = $WORK/pgbouncer.users
pool_mode = transaction
default_pool_size = 4
INI
chmod a+r "$WORK/pgbouncer.ini" "$WORK/pgbouncer.users"
start pgbouncer "${AS_POSTGRES[@]}" "$(pgbouncer_program)" "$WORK/pgbouncer.ini"
await_port "$port" "${PIDS[pgbouncer]}" || fail "PgBouncer does not listen"
"$(postgres_folder)/psql" --quiet --dbname="$TEST_DATABASE_URL" --command="CREATE DATABASE ${database}_pooled"
export DATABASE_URL="postgres://postgres@127.0.0.1:$port/${database}_pooled" DATABASE_POOLER=transaction
port="$(free_port)"
start pooled-worker env WORKER_BIND="127.0.0.1:$port" "$PROGRAMS/worker"
port="$(free_port)"
start pooled-api env BIND="127.0.0.1:$port" RATE_LIMIT_ANONYMOUS=off RATE_LIMIT_FREE=off "$PROGRAMS/api"
await_port "$port" "${PIDS[pooled-api]}" || fail "the api does not listen"
until curl --silent --fail "http://127.0.0.1:$port/readyz" >/dev/null; do
  kill -0 "${PIDS[pooled-api]}" 2>/dev/null || fail "the api has ended"
  sleep 0.1
done
node "$clients/clients/pooler.mjs" "http://127.0.0.1:$port" 16
if grep -F ERROR "$WORK/pooled-api.log"; then fail "the api complains"; fi
stop pooled-api
stop pooled-worker
