# Free ports for servers of a test. Sourced.

# A port that nobody listens on, below the range from which the system takes ports of clients.
free_port() {
  local port
  while true; do
    port=$((20000 + RANDOM % 12000))
    if ! port_answers "$port"; then
      echo "$port"
      return
    fi
  done
}

port_answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# await_port PORT PID: waits until the process listens; fails when it ends before, or takes longer than a minute.
await_port() {
  for _ in $(seq 600); do
    if port_answers "$1"; then return 0; fi
    kill -0 "$2" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}
