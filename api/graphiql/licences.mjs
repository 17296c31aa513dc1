// Writes dist/LICENCES.txt: the licence and the notices of every package that can end up in the bundle.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NOTICE = /^(licen[cs]e|copying|notice|third-?party-?notices)/i;

// `npm ls` exits with an error for graphiql-explorer's outdated peer range of React; its listing is complete all the same.
function productionFolders() {
  const args = ['ls', '--omit=dev', '--all', '--parseable'];
  let listing;
  try {
    listing = execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    listing = error.stdout;
  }
  return listing.split('\n').filter((folder) => folder.includes('node_modules'));
}

// Packages by the text they come under: many share one to the letter.
const headingsByText = new Map([
  // Part of monaco-editor, whose own notices leave it out; source: https://github.com/microsoft/vscode-codicons
  ['Creative Commons Attribution 4.0 International, https://creativecommons.org/licenses/by/4.0/', ['Codicons, the icon font of monaco-editor (CC-BY-4.0, Microsoft Corporation)']],
]);
const folders = productionFolders();
if (folders.length === 0) throw new Error('npm ls named no package: run npm ci first');
for (const folder of folders) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (!license) throw new Error(`${name} ${version} states no licence`);
  const holder = typeof author === 'string' ? author : author?.name;
  const heading = `${name} ${version} (${[license, holder].filter(Boolean).join(', ')})`;
  const text = readdirSync(folder)
    .filter((file) => NOTICE.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim())
    .join('\n\n') || 'The package holds no licence text beyond the name above.';
  headingsByText.set(text, [...new Set([...(headingsByText.get(text) ?? []), heading])].sort());
}

const sections = [...headingsByText].map(([text, headings]) => [...headings, '', text].join('\n')).sort();
const title = 'The playground contains the following packages, each under its own licence.';
writeFileSync('dist/LICENCES.txt', `${[title, ...sections].join(`\n\n${'='.repeat(100)}\n\n`)}\n`);
