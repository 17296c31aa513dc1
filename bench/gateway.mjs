// The client of gateway.sh.
// usage: gateway.mjs register BASE_URL | gateway.mjs measure NAME=PORT:PID...
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { execSync } from 'node:child_process';

const peers = createRequire(new URL('peers/package.json', import.meta.url));
const autocannon = peers('autocannon');
const pg = peers('pg');

const [command, ...args] = process.argv.slice(2);
const number = (name, fallback) => Number(process.env[name] ?? fallback);
const REQUESTS = number('REQUESTS', 2000);
const CONNECTIONS = number('CONNECTIONS', 64);
const ROUNDS = number('ROUNDS', 2);
const TICKS = Number(execSync('getconf CLK_TCK'));

async function send(url, query, variables, token) {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  if (errors) throw new Error(`${url}: ${JSON.stringify(errors)}`);
  return data;
}

if (command === 'register') {
  const document = 'mutation { userRegister(input: {handle: "bench", email: "bench@example.org", password: "long enough"}) { session { accessToken } } }';
  const { userRegister } = await send(`${args[0]}/graphql`, document);
  console.log(userRegister.session.accessToken);
  process.exit();
}

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
const sql = async (text) => (await pool.query(text)).rows;
const designs = await sql('select id from designs order by id');
const compared = await sql('select design_id, array_agg(id order by created_at desc) as ids from simulation_runs group by 1 order by 1');
const version = new Map((await sql('select id, version from designs')).map((row) => [row.id, row.version]));
const globalId = (kind, id) => Buffer.from(`${kind}:${id}`).toString('base64url');

const FIGURES = 'throughputQps latencyP50Ms latencyP95Ms latencyP99Ms cacheHitRatio';
const numbers = (list) => list.map(Number);
/** What each peer is asked, for one of the designs, and how its answer to the nested query becomes rows that can be compared. */
const OPERATIONS = {
  nested: {
    gateway: (i) => [
      `query ($id: ID!) { design(id: $id) { id name runs(first: 10) { nodes { id status summary { throughputQps latencyP99Ms }
        metrics(names: ["throughput_qps"], maxPoints: 50) { name offsetsMs values } } } } }`,
      { id: globalId('Design', designs[i].id) },
    ],
    mercurius: (i) => [
      'query ($id: ID!) { design(id: $id) { id name runs(first: 10) { id status throughputQps latencyP99Ms metrics(first: 50) { time metricName metricValue } } } }',
      { id: designs[i].id },
    ],
    postgraphile: (i) => [
      `query ($id: UUID!) { designByRowId(rowId: $id) { rowId name simulationRunsByDesignId(first: 10, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]) { nodes {
        rowId status throughputQps latencyP99Ms runMetricsByRunId(first: 50) { nodes { time metricName metricValue } } } } } }`,
      { id: designs[i].id },
    ],
    rows: {
      gateway: ({ design }) => design.runs.nodes.map((run) => [run.summary.throughputQps, ...numbers(run.metrics[0].values)]),
      mercurius: ({ design }) => design.runs.map((run) => [run.throughputQps, ...numbers(run.metrics.map((one) => one.metricValue))]),
      postgraphile: ({ designByRowId }) =>
        designByRowId.simulationRunsByDesignId.nodes.map((run) => [run.throughputQps, ...numbers(run.runMetricsByRunId.nodes.map((one) => one.metricValue))]),
    },
  },
  design: {
    gateway: (i) => ['query ($id: ID!) { design(id: $id) { id name description visibility version canvas { raw } } }', { id: globalId('Design', designs[i].id) }],
    mercurius: (i) => ['query ($id: ID!) { design(id: $id) { id name description visibility version canvas } }', { id: designs[i].id }],
    postgraphile: (i) => ['query ($id: UUID!) { designByRowId(rowId: $id) { rowId name description visibility version canvasState } }', { id: designs[i].id }],
    rows: {
      gateway: ({ design }) => [design.name, design.canvas.raw.blocks.length],
      mercurius: ({ design }) => [design.name, design.canvas.blocks.length],
      postgraphile: ({ designByRowId: design }) => [design.name, (design.canvasState.blocks ?? JSON.parse(design.canvasState).blocks).length],
    },
  },
  list: {
    gateway: () => ['{ designs(first: 20) { nodes { id name visibility version updatedAt } } }', {}],
    mercurius: () => ['{ designs(first: 20) { id name visibility version updatedAt } }', {}],
    postgraphile: () => [
      '{ allDesigns(first: 20, orderBy: [UPDATED_AT_DESC, ROW_ID_DESC], condition: {visibility: "public"}) { nodes { rowId name visibility version updatedAt } } }',
      {},
    ],
    rows: {
      gateway: ({ designs }) => designs.nodes.map((one) => one.name),
      mercurius: ({ designs }) => designs.map((one) => one.name),
      postgraphile: ({ allDesigns }) => allDesigns.nodes.map((one) => one.name),
    },
  },
  compare: {
    gateway: (i) => [
      `query ($ids: [ID!]!) { runComparison(runIds: $ids) { runs { id summary { ${FIGURES} } } metrics { name winner { id } values { value deltaPercent } } summary } }`,
      { ids: compared[i].ids.slice(0, 5).map((id) => globalId('SimulationRun', id)) },
    ],
    // The figures alone: deltas, winner and sentences would be theirs to write.
    mercurius: (i) => [`query ($ids: [ID!]!) { runs(ids: $ids) { id ${FIGURES} } }`, { ids: compared[i].ids.slice(0, 5) }],
    postgraphile: (i) => [
      `query ($a: UUID!, $b: UUID!, $c: UUID!, $d: UUID!, $e: UUID!) { ${['a', 'b', 'c', 'd', 'e'].map((name) => `${name}: simulationRunByRowId(rowId: $${name}) { rowId ${FIGURES} }`).join(' ')} }`,
      Object.fromEntries(compared[i].ids.slice(0, 5).map((id, n) => ['abcde'[n], id])),
    ],
    rows: {
      gateway: ({ runComparison }) => runComparison.runs.map((run) => run.summary.throughputQps).sort(),
      mercurius: ({ runs }) => runs.map((run) => run.throughputQps).sort(),
      postgraphile: (data) => Object.values(data).map((run) => run.throughputQps).sort(),
    },
  },
  update: {
    gateway: (i) => [
      'mutation ($input: DesignUpdateInput!) { designUpdate(input: $input) { design { id name version } userErrors { message } } }',
      { input: { id: globalId('Design', designs[i].id), expectedVersion: version.get(designs[i].id), name: `Design ${i + 1}` } },
    ],
    mercurius: (i) => [
      'mutation ($id: ID!, $version: Int!, $name: String!) { designUpdate(id: $id, expectedVersion: $version, name: $name) { id name version } }',
      { id: designs[i].id, version: version.get(designs[i].id), name: `Design ${i + 1}` },
    ],
    // Without the check of the version, which its generated mutation has no place for.
    postgraphile: (i) => [
      'mutation ($id: UUID!, $version: Int!, $name: String!) { updateDesignByRowId(input: {rowId: $id, designPatch: {name: $name, version: $version}}) { design { rowId name version } } }',
      { id: designs[i].id, version: version.get(designs[i].id) + 1, name: `Design ${i + 1}` },
    ],
    writes: true,
    rows: {
      gateway: ({ designUpdate }) => designUpdate.design.name,
      mercurius: ({ designUpdate }) => designUpdate.name,
      postgraphile: ({ updateDesignByRowId }) => updateDesignByRowId.design.name,
    },
  },
};

const stat = (pid) => {
  // The name in parentheses may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
  const seconds = (from) => (Number(fields[from]) + Number(fields[from + 1])) / TICKS;
  return { parent: Number(fields[1]), seconds: seconds(11), children: seconds(13) };
};
/** Of all its processes, those that ended included. */
function postgresSeconds() {
  const postmaster = Number(process.env.POSTGRES_PID);
  let total = stat(postmaster).children;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const { parent, seconds } = stat(pid);
      if (parent === postmaster) total += seconds;
    } catch {
      // It ended meanwhile.
    }
  }
  return total;
}

const servers = Object.fromEntries(
  args.map((argument) => {
    const [, name, port, pid] = /^(\w+)=(\d+):(\d+)$/.exec(argument);
    return [name, { url: `http://127.0.0.1:${port}/graphql`, pid: Number(pid) }];
  }),
);

let next = 0;
/** The next request of an operation; a design comes again long after its last answer. */
function request(operation, server) {
  const i = next++ % designs.length;
  const [query, variables] = OPERATIONS[operation][server](i);
  if (OPERATIONS[operation].writes) version.set(designs[i].id, version.get(designs[i].id) + 1);
  return JSON.stringify({ query, variables });
}

/** The access token expires sooner than a long run ends, and only a mutation needs it. */
function headers(operation, server) {
  const all = { 'content-type': 'application/json', accept: 'application/json' };
  if (server === 'gateway' && OPERATIONS[operation].writes) all.authorization = `Bearer ${process.env.TOKEN}`;
  return all;
}

function fire(operation, server, amount, connections, rate) {
  return autocannon({
    url: servers[server].url,
    connections,
    amount,
    ...(rate ? { overallRate: rate } : {}),
    method: 'POST',
    headers: headers(operation, server),
    requests: [{ method: 'POST', setupRequest: (one) => ({ ...one, body: request(operation, server) }) }],
    verifyBody: (body) => !/"errors":|"userErrors":\[\{/.test(String(body)),
  });
}

const only = process.env.ONLY;
const wanted = (list) => (list.includes(only) ? [only] : list);
const results = [];
for (const operation of wanted(Object.keys(OPERATIONS))) {
  const answers = [];
  for (const server of wanted(Object.keys(servers))) {
    const before = next;
    const [query, variables] = OPERATIONS[operation][server](0);
    if (OPERATIONS[operation].writes) version.set(designs[0].id, version.get(designs[0].id) + 1);
    const token = OPERATIONS[operation].writes && server === 'gateway' ? process.env.TOKEN : undefined;
    answers.push(JSON.stringify(OPERATIONS[operation].rows[server](await send(servers[server].url, query, variables, token))));
    next = before;
  }
  if (new Set(answers).size > 1) throw new Error(`${operation}: the peers do not give the same rows:\n${answers.join('\n')}`);
  const sums = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const server of wanted(Object.keys(servers))) {
      await fire(operation, server, 500, 8);
      await sql('select pg_stat_statements_reset()');
      const [cpu, database] = [stat(servers[server].pid).seconds, postgresSeconds()];
      const result = await fire(operation, server, REQUESTS, CONNECTIONS);
      const [{ calls }] = await sql(
        "select sum(calls)::float8 as calls from pg_stat_statements where query !~* '^(begin|commit|rollback|set|start)' and query !~ 'pg_stat_statements'",
      );
      const failed = result.non2xx + result.errors + result.timeouts + result.mismatches;
      if (failed) throw new Error(`${operation} of ${server}: ${failed} of ${REQUESTS} requests failed`);
      const sum = (sums[server] ??= { cpu: 0, database: 0, calls: 0, p99: [], rate: [] });
      sum.cpu += stat(servers[server].pid).seconds - cpu;
      sum.database += postgresSeconds() - database;
      sum.calls += calls;
      sum.p99.push(result.latency.p99);
      sum.rate.push(REQUESTS / result.duration);
    }
  }
  for (const [server, sum] of Object.entries(sums)) results.push({ operation, server, ...sum });
}

const all = REQUESTS * ROUNDS;
const milliseconds = (seconds) => ((seconds * 1000) / all).toFixed(3);
console.log('| operation | server | CPU ms/request | of ours | PostgreSQL CPU ms/request | statements/request | p99 ms at ' + CONNECTIONS + ' connections | requests/s |');
console.log('|---|---|---|---|---|---|---|---|');
for (const { operation, server, cpu, database, calls, p99, rate } of results) {
  const ours = results.find((one) => one.operation === operation && one.server === 'gateway');
  const ratio = ours && server !== 'gateway' ? `ours is ${(ours.cpu / cpu).toFixed(2)}` : '';
  const best = (list, choose) => choose(...list).toFixed(0);
  console.log(
    `| ${operation} | ${server} | ${milliseconds(cpu)} | ${ratio} | ${milliseconds(database)} | ${(calls / all).toFixed(2)} | ${best(p99, Math.min)} | ${best(rate, Math.max)} |`,
  );
}
await pool.end();
