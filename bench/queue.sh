#!/usr/bin/env bash
# How fast the queue is, beside BullMQ (bench/peers) on the same Redis in the same run: prints tables as Markdown. Servers of its
# own: a Redis that keeps nothing on disk, and a PostgreSQL that commits durably.
# usage: queue.sh [PROGRAM], which is built by: cargo build --release -p worker --example queue_bench
# environment: JOBS a round (50000), CONCURRENCY (50), ROUNDS (3), FULL: jobs with their rows (3000), BACKLOG (1000000)
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PROGRAM="$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release/examples/queue_bench}")"
source bench/stage.sh

start_redis
start_postgres
export REDIS_PORT TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$POSTGRES_PORT/postgres" TEST_REDIS_URL="redis://127.0.0.1:$REDIS_PORT"
node bench/queue.mjs "$PROGRAM"
