// Compares the schema with that of the last release: what breaks its clients must stand in CHANGELOG.md, in the section
// "Unreleased", by the name of the type, field or argument.
// usage: node breaking-changes.mjs [OLD_SCHEMA NEW_SCHEMA CHANGELOG]
import { readFileSync } from 'node:fs';
import { buildSchema, findBreakingChanges } from 'graphql';

const repository = new URL('../../../', import.meta.url);
const [
  old = new URL('api/clients/schema.released.graphql', repository),
  current = new URL('schema.graphql', repository),
  changelog = new URL('CHANGELOG.md', repository),
] = process.argv.slice(2);
const schema = (file) => buildSchema(readFileSync(file, 'utf8'));
const [, unreleased = ''] = /^## Unreleased$(.*?)(?=^## |$(?![^]))/ms.exec(readFileSync(changelog, 'utf8')) ?? [];

const changes = findBreakingChanges(schema(old), schema(current));
let unnamed = 0;
for (const { type, description } of changes) {
  // "User.email was removed." and the like: the first word with a capital is the name.
  const name = /\b[A-Z_]\w*(?:\.\w+)*/.exec(description)?.[0] ?? description;
  const named = unreleased.includes(`\`${name}\``);
  unnamed += named ? 0 : 1;
  console.log(`${named ? 'named' : 'FAIL '} ${type}: ${description}${named ? '' : ` CHANGELOG.md does not name \`${name}\`.`}`);
}
console.log(`${changes.length} breaking changes, ${unnamed} of them not in CHANGELOG.md`);
process.exitCode = unnamed === 0 ? 0 : 1;
