// BullMQ end to end on the Redis of REDIS_PORT: jobs that do nothing, from add to completed, while they are added.
// usage: bullmq.mjs JOBS CONCURRENCY BATCH | bullmq.mjs latency JOBS; prints one line of JSON
import { Queue, Worker } from 'bullmq';

const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null };
const name = `bench-${process.pid}`;
// As little as a job can leave behind, like its peer.
const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } });
await queue.waitUntilReady();

async function throughput(jobs, concurrency, batch) {
  const job = () => ({ name: 'noop', data: { v: 1, kind: 'simulation' } });
  let completed = 0;
  let finish;
  const finished = new Promise((resolve) => { finish = resolve; });
  const worker = new Worker(name, async () => {}, { connection, concurrency });
  worker.on('completed', () => { if (++completed === jobs) finish(); });
  await worker.waitUntilReady();
  const began = performance.now();
  if (batch === 1) {
    // 32 producers.
    let next = 0;
    const produce = async () => {
      while (next++ < jobs) await queue.add('noop', job().data);
    };
    await Promise.all(Array.from({ length: 32 }, produce));
  } else {
    for (let at = 0; at < jobs; at += batch) {
      await queue.addBulk(Array.from({ length: Math.min(batch, jobs - at) }, job));
    }
  }
  await finished;
  const seconds = (performance.now() - began) / 1000;
  await worker.close();
  return { jobs_per_s: Math.round(jobs / seconds) };
}

async function latency(jobs) {
  let began;
  let start;
  const worker = new Worker(name, async () => { start(performance.now() - began); }, { connection });
  await worker.waitUntilReady();
  const times = [];
  for (let at = 0; at < jobs; at++) {
    await new Promise((resolve) => { setTimeout(resolve, 10); });
    const started = new Promise((resolve) => { start = resolve; });
    began = performance.now();
    await queue.add('noop', {});
    times.push(await started);
  }
  await worker.close();
  times.sort((a, b) => a - b);
  const at = (share) => Number(times[Math.floor((times.length * share) / 100)].toFixed(2));
  return { p50: at(50), p99: at(99) };
}

const [what, ...numbers] = process.argv.slice(2);
const measured = what === 'latency' ? await latency(Number(numbers[0])) : await throughput(Number(what), ...numbers.map(Number));
console.log(JSON.stringify(measured));
await queue.obliterate({ force: true });
await queue.close();
