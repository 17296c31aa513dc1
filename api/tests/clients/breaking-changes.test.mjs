// Whether breaking-changes.mjs fails when it must, and only then.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'breaking-changes-'));
after(() => rmSync(folder, { recursive: true }));
const written = (name, text) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const script = fileURLToPath(new URL('breaking-changes.mjs', import.meta.url));
const released = 'type Query { kept: Int removed(argument: Int): Int }';

function check(current, changelog) {
  const files = [written('old.graphql', released), written('new.graphql', current), written('CHANGELOG.md', changelog)];
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...files], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return { status, stdout };
}

const unreleased = (text) => `# Changes\n\n## Unreleased\n\n${text}\n\n## 0.1.0\n\n- First release, with \`Query.removed\`.\n`;

test('a removed field fails', () => {
  const { status, stdout } = check('type Query { kept: Int }', unreleased('- Faster.'));
  assert.equal(status, 1);
  assert.match(stdout, /FAIL +FIELD_REMOVED: .*`Query\.removed`/);
});

test('a removed field that the changelog names passes', () => {
  assert.equal(check('type Query { kept: Int }', unreleased('- `Query.removed` is gone.')).status, 0);
});

test('naming one change is not naming another', () => {
  assert.equal(check('type Query { other: Int }', unreleased('- `Query.removed` is gone.')).status, 1);
});

test('a changed type fails', () => {
  const { status, stdout } = check('type Query { kept: Int removed(argument: String): Int }', unreleased('- Faster.'));
  assert.equal(status, 1);
  assert.match(stdout, /ARG_CHANGED_KIND/);
});

test('an added field passes', () => {
  assert.equal(check(released.replace('kept', 'added: Int kept'), unreleased('')).status, 0);
});
