// Runs the audits of the npm package graphql-http against a server: all of them must pass, its advice included.
import { serverAudits } from 'graphql-http';
import { endpoint, signIn } from './session.mjs';

const authorization = await signIn();
const fetchFn = (url, init = {}) => fetch(url, { ...init, headers: { ...init.headers, authorization } });

let failed = 0;
const audits = serverAudits({ url: endpoint, fetchFn });
for (const audit of audits) {
  const result = await audit.fn().catch((error) => ({ status: 'threw', reason: String(error) }));
  if (result.status === 'ok') continue;
  failed += 1;
  console.log(`FAIL ${audit.id} ${audit.name}: ${result.status}, ${result.reason}`);
}
console.log(`${audits.length - failed} of ${audits.length} audits passed`);
process.exitCode = failed === 0 && audits.length > 0 ? 0 : 1;
