# Sourced by the benches, in the project's folder: installs what they need, and gives them a folder WORK for servers of their own, which end
# and go with the script.
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

# start NAME PORT PROGRAM ARGUMENT...: in the background; returns when it listens.
start() {
  local name="$1" port="$2"
  shift 2
  setsid "$@" >"$WORK/$name.log" 2>&1 &
  PIDS+=("$!")
  await_port "$port" "$!"
}

# start_redis: on REDIS_PORT; keeps nothing on disk.
start_redis() {
  REDIS_PORT="$(free_port)"
  mkdir "$WORK/redis"
  start redis "$REDIS_PORT" redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$WORK/redis" --save '' --appendonly no
}

# start_postgres OPTION...: on POSTGRES_PORT; its first process is POSTGRES_PID.
start_postgres() {
  local bin
  bin="$(postgres_folder)"
  POSTGRES_PORT="$(free_port)"
  make_server_folder "$WORK/postgres"
  "${AS_POSTGRES[@]}" "$bin/initdb" --pgdata="$WORK/postgres" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >"$WORK/initdb.log"
  start postgres "$POSTGRES_PORT" "${AS_POSTGRES[@]}" "$bin/postgres" -D "$WORK/postgres" -p "$POSTGRES_PORT" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories="$WORK/postgres" -c shared_buffers=256MB "$@"
  POSTGRES_PID="${PIDS[-1]}"
  until "$bin/pg_isready" --quiet --username=postgres --host=127.0.0.1 --port="$POSTGRES_PORT"; do sleep 0.1; done
}
