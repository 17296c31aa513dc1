// Writes what api/clients publishes for caches of clients, from the schema; with --check, fails where a file is out of date.
// usage: node cache-settings.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { buildSchema, isAbstractType, isObjectType } from 'graphql';

const clients = new URL('../../clients/', import.meta.url);
const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__'));

const possibleTypes = {};
const connections = {};
for (const type of types) {
  if (isAbstractType(type)) possibleTypes[type.name] = schema.getPossibleTypes(type).map(({ name }) => name).sort();
  if (!isObjectType(type)) continue;
  for (const field of Object.values(type.getFields())) {
    if (!/Connection!?$/.test(String(field.type))) continue;
    const keys = field.args.map(({ name }) => name).filter((name) => !['first', 'after', 'last', 'before'].includes(name));
    (connections[type.name] ??= {})[field.name] = keys;
  }
}
const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
const json = (value) => JSON.stringify(value, null, 2);
const settings = `// Settings of Apollo Client's InMemoryCache for this schema; README.md beside this file says how to use them.
// Made from schema.graphql by api/tests/clients/cache-settings.mjs.

/** The types behind each interface, for fragments on interfaces. */
export const possibleTypes = ${json(sorted(possibleTypes))};

/** Fields that are connections, by type, and which of their arguments make another list. */
export const connections = ${json(sorted(connections))};

/**
 * Options of an InMemoryCache: pages of one list merge, whatever their size.
 * @param {(keyArgs: string[] | false) => object} relayStylePagination from '@apollo/client/utilities'
 */
export function cacheOptions(relayStylePagination) {
  const typePolicies = Object.fromEntries(
    Object.entries(connections).map(([type, fields]) => [
      type,
      {
        fields: Object.fromEntries(
          Object.entries(fields).map(([field, keys]) => [field, relayStylePagination(keys.length > 0 ? keys : false)]),
        ),
      },
    ]),
  );
  // What is asked about the request itself has no id and is one object.
  typePolicies.RateLimit = { keyFields: [] };
  return { possibleTypes, typePolicies };
}
`;
const files = { 'apollo.mjs': settings, 'possible-types.json': `${json(sorted(possibleTypes))}\n` };

for (const [name, text] of Object.entries(files)) {
  const file = new URL(name, clients);
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`api/clients/${name} is not what the schema says: run node api/tests/clients/cache-settings.mjs`);
    process.exitCode = 1;
  }
}
