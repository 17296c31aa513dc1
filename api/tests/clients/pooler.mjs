// Uses the product as many people do at once: everyone registers, creates a design, simulates it and reads it back.
// arguments: BASE_URL PEOPLE
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const [baseUrl, people] = process.argv.slice(2);
const endpoint = new URL('/graphql', baseUrl).href;

/** Data of one operation; throws on errors of any kind. */
async function send(query, variables, authorization) {
  const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
  if (authorization) headers.authorization = authorization;
  const response = await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  const mistakes = Object.values(data ?? {}).flatMap((payload) => payload?.userErrors ?? []);
  if (errors || mistakes.length) throw new Error(`${query}: ${JSON.stringify(errors ?? mistakes)}`);
  return data;
}

const { templates, workloadTemplates } = await send(
  '{ templates(first: 1) { nodes { id } } workloadTemplates(first: 1) { nodes { id } } }',
);

async function person(number) {
  const handle = `person${number}`;
  const { userRegister } = await send(
    'mutation ($input: UserRegisterInput!) { userRegister(input: $input) { session { accessToken } userErrors { message } } }',
    { input: { handle, email: `${handle}@example.com`, password: 'good enough' } },
  );
  const authorization = `Bearer ${userRegister.session.accessToken}`;
  const { designCreate } = await send(
    'mutation ($input: DesignCreateInput!) { designCreate(input: $input) { design { id version } userErrors { message } } }',
    { input: { name: handle, templateId: templates.nodes[0].id } },
    authorization,
  );
  const { id, version } = designCreate.design;
  await send(
    'mutation ($input: DesignUpdateInput!) { designUpdate(input: $input) { userErrors { message } } }',
    { input: { id, expectedVersion: version, description: handle } },
    authorization,
  );
  const { simulationJobSubmit } = await send(
    'mutation ($input: SimulationJobSubmitInput!) { simulationJobSubmit(input: $input) { job { id } userErrors { message } } }',
    { input: { idempotencyKey: randomUUID(), designId: id, workloadId: workloadTemplates.nodes[0].id } },
    authorization,
  );
  const deadline = Date.now() + 60_000;
  while (true) {
    const { simulationJob: job } = await send('query ($id: ID!) { simulationJob(id: $id) { status } }', { id: simulationJobSubmit.job.id }, authorization);
    if (job.status === 'COMPLETED') break;
    if (job.status === 'FAILED' || Date.now() > deadline) throw new Error(`the job of ${handle} is ${job.status}`);
    await sleep(100);
  }
  const { viewer } = await send(
    `{ viewer { handle designs(first: 5) { totalCount nodes { name description
         runs(first: 10) { nodes { status summary { throughputQps } metrics(names: ["throughput_qps"]) { values } } } } } } }`,
    {},
    authorization,
  );
  const [design] = viewer.designs.nodes;
  const [run] = design.runs.nodes;
  // Rows of somebody else would show that statements were mixed up on the way.
  const own = viewer.handle === handle && viewer.designs.totalCount === 1 && design.name === handle && design.description === handle;
  if (!own || design.runs.nodes.length !== 1 || !(run.summary.throughputQps > 0) || run.metrics[0].values.length === 0) {
    throw new Error(`${handle} sees ${JSON.stringify(viewer)}`);
  }
}

await Promise.all(Array.from({ length: Number(people) }, (_, number) => person(number)));
console.log(`${people} people at once registered, designed, simulated and read their results`);
