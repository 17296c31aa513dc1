// Runs Apollo Client with the cache settings that api/clients publishes: what an application relies on must hold.
// arguments: BASE_URL EMAIL PASSWORD; the user must own a design with three runs or more.
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { cacheOptions } from '../../clients/apollo.mjs';
import { endpoint, signIn, socketEndpoint, submitJob } from './session.mjs';

// Apollo's link looks for it; this Node has none.
globalThis.WebSocket ??= WebSocket;

const authorization = await signIn();
const headers = { authorization };
let requests = 0;
const counted = (uri, options) => {
  requests += 1;
  return fetch(uri, options);
};
const socket = createClient({ url: socketEndpoint, webSocketImpl: WebSocket, connectionParams: headers, retryAttempts: 0 });
const cache = new InMemoryCache(cacheOptions(relayStylePagination));
const link = ApolloLink.split(
  ({ operationType }) => operationType === 'subscription',
  new GraphQLWsLink(socket),
  new HttpLink({ uri: endpoint, headers, fetch: counted }),
);
const client = new ApolloClient({ link, cache });

const DESIGN = gql`
  query Design($id: ID!, $after: String) {
    design(id: $id) {
      id
      name
      version
      runs(first: 1, after: $after) {
        edges { cursor node { id status } }
        pageInfo { hasNextPage endCursor }
      }
    }
    rateLimit { remaining }
  }
`;
const NEWEST = gql`{ viewer { id designs(first: 1) { nodes { id runs(first: 3) { nodes { id } } } } } }`;

async function twoMoreRuns() {
  for (let i = 0; i < 2; i += 1) {
    const id = await submitJob(authorization);
    const iterator = socket.iterate({
      query: 'subscription ($id: ID!) { simulationJobUpdated(id: $id) { job { status } } }',
      variables: { id },
    });
    for await (const { errors } of iterator) if (errors) throw new Error(JSON.stringify(errors));
  }
}

function must(holds, detail) {
  if (!holds) throw new Error(typeof detail === 'string' ? detail : JSON.stringify(detail));
}

await twoMoreRuns();
const newest = await new ApolloClient({ link, cache: new InMemoryCache() }).query({ query: NEWEST });
const id = newest.data.viewer.designs.nodes[0].id;
let first;

const checks = {
  async 'a nested query has data and no errors'() {
    const { data, error } = await client.query({ query: DESIGN, variables: { id } });
    must(data.design && !error, error?.message);
    first = data;
  },
  async 'everything with an id is an entity of the cache, the rate limit is one object'() {
    const keys = Object.keys(cache.extract());
    must(keys.some((key) => key.startsWith('Design:')) && keys.some((key) => key.startsWith('SimulationRun:')), keys);
    must(keys.includes('RateLimit:{}'), keys);
  },
  async 'the same query again sends nothing'() {
    const before = requests;
    await client.query({ query: DESIGN, variables: { id } });
    must(requests === before, `${requests - before} requests`);
  },
  async 'pages merge into one list'() {
    const watched = client.watchQuery({ query: DESIGN, variables: { id } });
    const subscription = watched.subscribe(() => {});
    const page = first.design.runs;
    must(page.pageInfo.hasNextPage, 'the design has one run only');
    await watched.fetchMore({ variables: { id, after: page.pageInfo.endCursor } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { edges } = watched.getCurrentResult().data.design.runs;
    subscription.unsubscribe();
    must(edges.length === 2 && edges[0].node.id !== edges[1].node.id, edges);
  },
  async 'node(id) reads the same entity, by possibleTypes too'() {
    const query = gql`query ($id: ID!) { node(id: $id) { id ... on Timestamped { updatedAt } ... on Design { name } } }`;
    const { data } = await client.query({ query, variables: { id } });
    must(data.node.__typename === 'Design' && data.node.name === first.design.name && data.node.updatedAt, data);
    must(cache.identify(data.node) === `Design:${id}`, cache.identify(data.node));
  },
  async 'a mutation writes what it changed into the cache'() {
    const mutation = gql`
      mutation ($input: DesignUpdateInput!) {
        designUpdate(input: $input) { design { id name version } userErrors { __typename message code path } }
      }
    `;
    const input = { id, expectedVersion: first.design.version, name: `Renamed ${Date.now()}` };
    const { data } = await client.mutate({ mutation, variables: { input } });
    must(data.designUpdate.userErrors.length === 0, data);
    must(cache.extract()[`Design:${id}`].name === input.name, cache.extract()[`Design:${id}`]);
  },
  async 'a subscription writes the cache until it completes'() {
    const job = await submitJob(authorization);
    const query = gql`subscription ($id: ID!) { simulationJobUpdated(id: $id) { sequence job { id status progress } } }`;
    let messages = 0;
    await new Promise((complete, error) => {
      client.subscribe({ query, variables: { id: job } }).subscribe({ next: () => { messages += 1; }, error, complete });
    });
    must(messages > 0 && cache.extract()[`SimulationJob:${job}`].status === 'COMPLETED', cache.extract()[`SimulationJob:${job}`]);
  },
  async 'a persisted query is asked by hash, sent once, and known from then on'() {
    const log = [];
    const recorded = async (uri, options) => {
      const response = await fetch(uri, options);
      const answer = await response.clone().json();
      log.push([JSON.parse(options.body).query !== undefined, answer.errors?.[0].extensions.code]);
      return response;
    };
    const hashes = new PersistedQueryLink({ sha256: (text) => createHash('sha256').update(text).digest('hex') });
    const persisting = new ApolloClient({
      cache: new InMemoryCache(),
      link: hashes.concat(new HttpLink({ uri: endpoint, headers, fetch: recorded })),
    });
    const query = gql(`query Fresh${Date.now()} { __typename }`);
    for (let i = 0; i < 2; i += 1) await persisting.query({ query, fetchPolicy: 'network-only' });
    must(JSON.stringify(log) === '[[false,"PERSISTED_QUERY_NOT_FOUND"],[true,null],[false,null]]', log);
  },
};

let failed = 0;
for (const [claim, steps] of Object.entries(checks)) {
  try {
    await steps();
    console.log(`ok ${claim}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${claim}: ${error.message}`);
  }
}
await socket.dispose();
console.log(`${Object.keys(checks).length - failed} of ${Object.keys(checks).length} passed`);
process.exit(failed === 0 ? 0 : 1);
