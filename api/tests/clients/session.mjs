// What the tests of this folder share: their arguments, a session, and a simulation to watch.
// arguments: BASE_URL EMAIL PASSWORD; the user must own a design.
import { randomUUID } from 'node:crypto';

const [baseUrl, email, password] = process.argv.slice(2);
if (!password) {
  console.error(`usage: node ${process.argv[1]} BASE_URL EMAIL PASSWORD`);
  process.exit(2);
}
export const endpoint = new URL('/graphql', baseUrl).href;
export const socketEndpoint = new URL('/graphql/ws', baseUrl.replace(/^http/, 'ws')).href;

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

/** The value of an Authorization header for the user. */
export async function signIn() {
  const { sessionCreate } = await send(
    'mutation ($input: SessionCreateInput!) { sessionCreate(input: $input) { session { accessToken } userErrors { message } } }',
    { input: { email, password } },
  );
  return `Bearer ${sessionCreate.session.accessToken}`;
}

/** The id of a job that was just queued: the user's newest design under a template workload. */
export async function submitJob(authorization) {
  const { designs, workloadTemplates } = await send(
    '{ designs(first: 1) { nodes { id } } workloadTemplates(first: 1) { nodes { id } } }',
    {},
    authorization,
  );
  const input = {
    idempotencyKey: randomUUID(),
    designId: designs.nodes[0].id,
    workloadId: workloadTemplates.nodes[0].id,
    // A run of its own, never the stored result of an identical one.
    seed: String(Math.floor(Math.random() * 2 ** 40)),
  };
  const { simulationJobSubmit } = await send(
    'mutation ($input: SimulationJobSubmitInput!) { simulationJobSubmit(input: $input) { job { id } userErrors { message path } } }',
    { input },
    authorization,
  );
  return simulationJobSubmit.job.id;
}
