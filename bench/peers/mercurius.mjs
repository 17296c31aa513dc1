// Mercurius with graphql-jit on Fastify, over the tables of the project: DataLoader, LATERAL, prepared statements.
// arguments: DATABASE_URL PORT
import DataLoader from 'dataloader';
import Fastify from 'fastify';
import { GraphQLScalarType } from 'graphql';
import mercurius from 'mercurius';
import pg from 'pg';
import { makeExecutableSchema } from '@graphql-tools/schema';

const [connectionString, port] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: 16 });
const rows = async (name, text, values) => (await pool.query({ name, text, values })).rows;

const typeDefs = `
  scalar JSON
  type Query {
    design(id: ID!): Design
    designs(first: Int = 20): [Design!]!
    runs(ids: [ID!]!): [Run!]!
  }
  type Mutation { designUpdate(id: ID!, expectedVersion: Int!, name: String!): Design }
  type Design {
    id: ID! name: String! description: String visibility: String! version: Int! updatedAt: String! canvas: JSON!
    runs(first: Int = 10): [Run!]!
  }
  type Run {
    id: ID! status: String! throughputQps: Float latencyP50Ms: Float latencyP95Ms: Float latencyP99Ms: Float cacheHitRatio: Float
    metrics(first: Int = 100): [Metric!]!
  }
  type Metric { time: String! metricName: String! metricValue: Float! }
`;
const DESIGN = 'id, name, description, visibility, version, updated_at::text as "updatedAt"';
const RUN = `id, design_id, status, throughput_qps as "throughputQps", latency_p50_ms as "latencyP50Ms", latency_p95_ms as "latencyP95Ms",
  latency_p99_ms as "latencyP99Ms", cache_hit_ratio as "cacheHitRatio"`;
const SQL = {
  design: `select ${DESIGN}, canvas_state as canvas from designs where id = $1 and visibility <> 'private' and deleted_at is null`,
  designs: `select ${DESIGN} from designs where visibility = 'public' and deleted_at is null order by updated_at desc, id desc limit $1`,
  compared: `select ${RUN} from simulation_runs where id = any($1::uuid[])`,
  update: `update designs set name = $3, version = version + 1, updated_at = now() where id = $1 and version = $2 returning ${DESIGN}`,
  runs: `select r.* from unnest($1::uuid[]) p(id) cross join lateral
    (select ${RUN} from simulation_runs where design_id = p.id order by created_at desc, id desc limit $2) r`,
  metrics: `select m.* from unnest($1::uuid[]) p(id) cross join lateral
    (select run_id, time::text as "time", metric_name as "metricName", metric_value as "metricValue"
     from run_metrics where run_id = p.id order by series, time limit $2) m`,
};

function group(ids, found, key) {
  const lists = new Map(ids.map((id) => [id, []]));
  for (const row of found) lists.get(row[key]).push(row);
  return ids.map((id) => lists.get(id));
}
/** One loader for each (list, length) of a request. */
function loaders() {
  const made = new Map();
  return (name, first, key) => {
    if (!made.has(name + first)) {
      made.set(name + first, new DataLoader(async (ids) => group(ids, await rows(name, SQL[name], [ids, first]), key)));
    }
    return made.get(name + first);
  };
}
const resolvers = {
  JSON: new GraphQLScalarType({ name: 'JSON', serialize: (value) => value }),
  Query: {
    design: async (_, { id }) => (await rows('design', SQL.design, [id]))[0],
    designs: (_, { first }) => rows('designs', SQL.designs, [first]),
    runs: (_, { ids }) => rows('compared', SQL.compared, [ids]),
  },
  Mutation: {
    designUpdate: async (_, { id, expectedVersion, name }) => (await rows('update', SQL.update, [id, expectedVersion, name]))[0],
  },
  Design: { runs: (design, { first }, context) => context.list('runs', first, 'design_id').load(design.id) },
  Run: { metrics: (run, { first }, context) => context.list('metrics', first, 'run_id').load(run.id) },
};

const app = Fastify();
app.register(mercurius, { schema: makeExecutableSchema({ typeDefs, resolvers }), jit: 1, context: () => ({ list: loaders() }) });
await app.listen({ port: Number(port), host: '127.0.0.1' });
