// Puts schema.graphql before the tools that clients build with: linters, code generators and compilers must all take it.
// usage: node check.mjs
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, cpSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { validate } from '@graphql-inspector/core';
import { buildSchema, Source } from 'graphql';

const here = dirname(fileURLToPath(import.meta.url));
const sdl = join(here, '../../../../schema.graphql');
// Tools write beside what they read.
const work = mkdtempSync(join(tmpdir(), 'schema-tools-'));
copyFileSync(sdl, join(work, 'schema.graphql'));
for (const name of ['operations', 'relay', 'eslint.config.mjs']) cpSync(join(here, name), join(work, name), { recursive: true });
symlinkSync(join(here, 'node_modules'), join(work, 'node_modules'));
writeFileSync(join(work, 'package.json'), '{"type":"module"}');
writeFileSync(
  join(work, 'codegen.json'),
  JSON.stringify({
    schema: 'schema.graphql',
    documents: 'operations/*.graphql',
    generates: {
      'generated/': {
        preset: 'client',
        config: { strictScalars: true, scalars: { DateTime: 'string', UUID: 'string', JSON: 'unknown', BigInt: 'string', URL: 'string' } },
      },
    },
  }),
);
writeFileSync(
  join(work, 'relay.config.json'),
  JSON.stringify({ src: './relay', schema: './schema.graphql', language: 'javascript', eagerEsModules: false, excludes: ['**/node_modules/**', '**/__generated__/**'] }),
);

const LINTER_RULES = [
  'relay-connection-types-spec',
  'relay-connection-arguments-spec',
  'relay-page-info-spec',
  'deprecations-have-a-reason',
  'types-are-capitalized',
  'fields-are-camel-cased',
  'enum-values-all-caps',
  'input-object-values-are-camel-cased',
  'defined-types-are-used',
];
const run = (program, ...args) => () => {
  const { status, stdout, stderr } = spawnSync(join(here, 'node_modules/.bin', program), args, {
    cwd: work,
    env: { ...process.env, SDL: './schema.graphql' },
    encoding: 'utf8',
  });
  return status === 0 ? null : `${stdout}${stderr}`;
};

const tools = {
  'graphql-eslint': run('eslint', '--no-warn-ignored', 'schema.graphql'),
  'graphql-schema-linter': run('graphql-schema-linter', '--rules', LINTER_RULES.join(), 'schema.graphql'),
  'graphql-inspector, operations'() {
    const file = join(here, 'operations/dashboard.graphql');
    const invalid = validate(buildSchema(readFileSync(sdl, 'utf8')), [new Source(readFileSync(file, 'utf8'), file)]);
    return invalid.length === 0 ? null : JSON.stringify(invalid.flatMap(({ errors }) => errors.map(({ message }) => message)));
  },
  'graphql-codegen': run('graphql-codegen', '--config', 'codegen.json'),
  'tsc, what codegen made': run('tsc', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext', 'generated/graphql.ts'),
  'relay-compiler': run('relay-compiler', 'relay.config.json'),
};
let failed = 0;
for (const [name, check] of Object.entries(tools)) {
  const complaint = check();
  if (complaint !== null) failed += 1;
  console.log(complaint === null ? `ok ${name}` : `FAIL ${name}\n${complaint}`);
}
rmSync(work, { recursive: true });
console.log(`${Object.keys(tools).length - failed} of ${Object.keys(tools).length} tools take the schema`);
process.exitCode = failed === 0 ? 0 : 1;
