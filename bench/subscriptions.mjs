// The client of subscriptions.sh. arguments: BASE_URL PID COUNT
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const WebSocket = createRequire(new URL('../api/tests/clients/package.json', import.meta.url))('ws');
const [baseUrl, pid, countText] = process.argv.slice(2);
const count = Number(countText);
/** Handshakes at a time. */
const WIDTH = 100;
const LIMIT_MIB = 1024;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const residentMib = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

async function gauge(name) {
  const text = await (await fetch(new URL('/metrics', baseUrl))).text();
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? 0);
}

async function send(query, token) {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(new URL('/graphql', baseUrl), { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

const { userRegister } = await send(
  'mutation { userRegister(input: {handle: "bench", email: "bench@example.org", password: "long enough"}) { session { accessToken } } }',
);
const token = userRegister.session.accessToken;
const { templates } = await send('{ templates(first: 1) { nodes { id suggestedWorkload { id } } } }', token);
const [template] = templates.nodes;
const { designCreate } = await send(`mutation { designCreate(input: {name: "Bench", templateId: "${template.id}"}) { design { id } } }`, token);
const { simulationJobSubmit } = await send(
  `mutation { simulationJobSubmit(input: {idempotencyKey: "bench", designId: "${designCreate.design.id}", workloadId: "${template.suggestedWorkload.id}"}) { job { id } userErrors { message } } }`,
  token,
);
const query = `subscription { simulationJobUpdated(id: "${simulationJobSubmit.job.id}") { sequence } }`;

/** A socket whose subscription has told its first snapshot. */
function open() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${baseUrl.replace(/^http/, 'ws')}/graphql/ws`, 'graphql-transport-ws', { perMessageDeflate: false });
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })));
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
    socket.on('message', (text) => {
      const { type, payload } = JSON.parse(String(text));
      if (type === 'connection_ack') socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
      else if (type === 'next') resolve(socket);
      else if (type === 'error') reject(new Error(JSON.stringify(payload)));
    });
  });
}

const before = residentMib();
const started = Date.now();
const sockets = [];
while (sockets.length < count) {
  const width = Math.min(WIDTH, count - sockets.length);
  sockets.push(...(await Promise.all(Array.from({ length: width }, open))));
}
const seconds = (Date.now() - started) / 1000;
await sleep(5000);
const live = await gauge('graphql_subscriptions_active');
const during = residentMib();
for (const socket of sockets) socket.close();
let left = live;
for (let i = 0; i < 300 && left > 0; i += 1) {
  await sleep(100);
  left = await gauge('graphql_subscriptions_active');
}
const after = residentMib();

const mib = (value) => `${value.toFixed(0)} MiB`;
console.log(`${live} subscriptions live, opened in ${seconds.toFixed(1)} s`);
console.log(`resident memory: ${mib(before)} before, ${mib(during)} with them (${(((during - before) * 1024) / count).toFixed(1)} KiB each), ${mib(after)} after`);
console.log(`${left} subscriptions after all sockets have closed`);
process.exit(live === count && during < LIMIT_MIB && left === 0 ? 0 : 1);
