// The rounds of queue.sh, and the tables that it prints.
// usage: queue.mjs PROGRAM
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

const [program] = process.argv.slice(2);
const number = (name, fallback) => Number(process.env[name] ?? fallback);
const JOBS = number('JOBS', 50_000);
const CONCURRENCY = number('CONCURRENCY', 50);
const ROUNDS = number('ROUNDS', 3);
const FULL = number('FULL', 3_000);
const BACKLOG = number('BACKLOG', 1_000_000);

const run = (command, ...args) => execFileSync(command, args.map(String), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const ours = (...args) => JSON.parse(run(program, ...args));
const peer = (...args) => JSON.parse(run('node', 'bench/peers/bullmq.mjs', ...args));
const { version } = createRequire(import.meta.url)('./peers/node_modules/bullmq/package.json');

function row(...cells) {
  console.log(`| ${cells.join(' | ')} |`);
}

function table(...names) {
  console.log();
  row(...names);
  row(...names.map(() => '---'));
}

// Microseconds that Redis has worked since it started: a fair figure on a busy machine too.
function redisWork() {
  const info = run('redis-cli', '-p', process.env.REDIS_PORT, 'info', 'cpu');
  return 1e6 * ['user', 'sys'].reduce((sum, kind) => sum + Number(info.match(new RegExp(`used_cpu_${kind}:([0-9.]+)`))[1]), 0);
}

// The best of several rounds, with the work of Redis a job.
function better(best, measure) {
  const before = redisWork();
  const measured = measure();
  measured.redis_us = Math.round((redisWork() - before) / JOBS);
  return best && best.jobs_per_s > measured.jobs_per_s ? best : measured;
}

console.log(`${JOBS} jobs that do nothing, ${CONCURRENCY} at a time, from enqueue to done while they are enqueued: best of ${ROUNDS} rounds taken in turn`);
table('enqueued', 'this queue, jobs/s', `BullMQ ${version}, jobs/s`, 'ratio', 'µs of Redis a job: this, BullMQ');
for (const [name, batch] of [['500 at a time', 500], ['one by one, by 32 producers', 1]]) {
  let best;
  let bestPeer;
  for (let round = 0; round < ROUNDS; round++) {
    best = better(best, () => ours('store', JOBS, CONCURRENCY, batch));
    bestPeer = better(bestPeer, () => peer(JOBS, CONCURRENCY, batch));
  }
  const ratio = (best.jobs_per_s / bestPeer.jobs_per_s).toFixed(1);
  row(name, best.jobs_per_s, bestPeer.jobs_per_s, ratio, `${best.redis_us}, ${bestPeer.redis_us}`);
}

const full = ours('full', FULL, 8);
console.log(`\nThe smallest simulations with their rows, committed durably, 8 at a time: ${full.jobs_per_s} jobs/s from submit to result`);

const times = ({ p50, p99 }) => [p50, p99];
table('on an idle queue', 'p50 ms', 'p99 ms');
const latency = ours('latency', 500);
row('enqueue to the hands of a worker', ...times(latency.to_claim_ms));
row('enqueue to the first step of the engine, with the rows between', ...times(latency.to_engine_ms));
row(`BullMQ ${version}, add to handler`, ...times(peer('latency', 500)));

table('waiting', 'claim p50 ms', 'claim p99 ms', 'position of the last p50 ms', 'p99 ms', 'bytes a job');
for (const { store, ...sizes } of ours('backlog', BACKLOG)) {
  for (const { jobs, claim_ms, position_of_last_ms, bytes_a_job } of Object.values(sizes)) {
    row(`${jobs} in ${store}`, ...times(claim_ms), ...times(position_of_last_ms), bytes_a_job ?? '');
  }
}
