// Drives the playground of a running server in headless Chromium, as a person would, and takes a picture of it.
// usage: node playground.mjs BASE_URL EMAIL PASSWORD OUT_PNG
// The user must own a design with a completed run of a server job. CHROMIUM names the browser (/usr/bin/chromium by default).
import { chromium } from 'playwright-core';

const [baseUrl, email, password, screenshotPath] = process.argv.slice(2);
if (!screenshotPath) {
  console.error('usage: node playground.mjs BASE_URL EMAIL PASSWORD OUT_PNG');
  process.exit(2);
}
const origin = new URL(baseUrl).origin;
const TIMEOUT_MS = 30_000;

const counts = { passed: 0, failed: 0 };
function check(holds, claim, detail) {
  counts[holds ? 'passed' : 'failed'] += 1;
  console.log(holds ? `ok ${claim}` : `FAIL ${claim}: ${detail}`);
}

/** Data of one operation sent past the page; throws on any error. */
async function api(query, variables, token) {
  const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(`${origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  if (errors) throw new Error(`${query}: ${JSON.stringify(errors)}`);
  return data;
}

/** A run of the viewer's designs whose job has completed, with the ids of its job, design and workload, and a token. */
async function completedRun() {
  const { sessionCreate } = await api(
    'mutation ($input: SessionCreateInput!) { sessionCreate(input: $input) { session { accessToken } } }',
    { input: { email, password } },
  );
  const token = sessionCreate.session.accessToken;
  const { designs } = await api(
    '{ designs(first: 10) { nodes { runs(first: 10) { nodes { job { id status } design { id } workload { id } } } } } }',
    {},
    token,
  );
  const run = designs.nodes.flatMap((design) => design.runs.nodes).find(({ job }) => job?.status === 'COMPLETED');
  if (!run) throw new Error('no design of this user has a run whose job is COMPLETED');
  return { ...run, token };
}

/** What the page does beside its work: errors on the console, violations of its policy, words with strangers, workers. */
function watch(page) {
  const seen = { errors: [], violations: [], strangers: [], workers: [] };
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') seen.errors.push(message.text());
    if (message.text().startsWith('csp-violation ')) seen.violations.push(message.text());
  });
  const note = (url) => {
    const { protocol, host } = new URL(url);
    if (protocol !== 'data:' && host !== new URL(origin).host) seen.strangers.push(url);
  };
  page.on('request', (request) => note(request.url()));
  page.on('websocket', (socket) => note(socket.url()));
  page.on('worker', (worker) => seen.workers.push(worker.url()));
  return seen;
}

/** The whole text of the response pane; the DOM itself holds only the lines in view. */
function responseText(page) {
  return page.evaluate(() => {
    const models = globalThis.__MONACO?.editor.getModels() ?? [];
    return models.find((model) => model.uri.path.includes('response'))?.getValue() ?? '';
  });
}

/** Opens a tab, types its variables when some are given, runs it, and returns the response once the pane shows it. */
async function runTab(page, title, variables) {
  await page.locator('.graphiql-tab-button', { hasText: title }).click();
  if (variables) {
    await page.locator('.graphiql-editor-tool .view-lines').first().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.press('Delete');
    await page.keyboard.insertText(JSON.stringify(variables));
  }
  // GraphiQL reads the operation out of the editor 100 ms after its last change; this timer runs out after that one.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
  await page.getByRole('button', { name: /^Execute query/ }).click();
  const deadline = Date.now() + TIMEOUT_MS;
  while (Date.now() < deadline) {
    const text = await responseText(page);
    if (text) return JSON.parse(text);
    await page.waitForTimeout(100);
  }
  throw new Error(`${title}: no response within ${TIMEOUT_MS} ms`);
}

async function drive(page) {
  const opened = await page.goto(`${origin}/graphiql/`);
  const policy = opened.headers()['content-security-policy'] ?? '';
  check(policy.includes("default-src 'none'") && policy.includes("script-src 'self'"), 'the page comes with its content security policy', policy);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();

  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await page.getByRole('link', { name: 'Subscription', exact: true }).waitFor();
  check(true, 'the documentation shows the introspected schema');
  await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();

  await runTab(page, 'SignIn', { input: { email, password } });
  const hint = page.getByRole('status').filter({ hasText: 'Signed in as' });
  await hint.waitFor();
  check(true, `signing in through its tab: "${await hint.textContent()}"`);

  const { job, design, workload, token } = await completedRun();

  // A job of its own, large enough to be watched while it runs.
  const large = await api(
    'mutation ($input: WorkloadCreateInput!) { workloadCreate(input: $input) { workload { id } } }',
    {
      input: {
        name: 'Large',
        operations: [{ type: 'SELECT', template: 'SELECT * FROM main WHERE key = ?', weight: 1 }],
        config: { totalOperations: '4000000', concurrency: 4, recordCount: '50000', recordBytes: 200 },
      },
    },
    token,
  );
  const fresh = {
    idempotencyKey: crypto.randomUUID(),
    designId: design.id,
    workloadId: large.workloadCreate.workload.id,
    seed: String(Date.now()),
  };
  const submitted = await api(
    'mutation ($input: SimulationJobSubmitInput!) { simulationJobSubmit(input: $input) { job { id } } }',
    { input: fresh },
    token,
  );
  const statusOf = (answer) => answer.data?.simulationJobUpdated.job.status;
  let shown = await runTab(page, 'JobUpdates', { id: submitted.simulationJobSubmit.job.id });
  const statuses = new Set([statusOf(shown)]);
  for (const deadline = Date.now() + TIMEOUT_MS; statusOf(shown) !== 'COMPLETED' && Date.now() < deadline; ) {
    await page.waitForTimeout(20);
    shown = JSON.parse((await responseText(page)) || '{}');
    statuses.add(statusOf(shown));
  }
  check(statusOf(shown) === 'COMPLETED' && statuses.size > 1, `the subscription shows a job's updates: ${[...statuses].join(', ')}`, JSON.stringify([...statuses, shown]));

  const update = await runTab(page, 'JobUpdates', { id: job.id });
  const message = update.data?.simulationJobUpdated;
  check(!update.errors && Number.isInteger(message?.sequence), `the subscription delivers sequence ${message?.sequence}`, JSON.stringify(update));
  check(message?.job.status === 'COMPLETED', 'the subscription shows the job as COMPLETED', JSON.stringify(update));

  // The same key every time: on a server that has seen it, the first job comes back.
  const submit = await runTab(page, 'SubmitSimulation', {
    input: { idempotencyKey: 'playground-test', designId: design.id, workloadId: workload.id, seed: '42' },
  });
  check(Boolean(submit.data?.simulationJobSubmit.job?.id), 'a submitted simulation becomes a job', JSON.stringify(submit));

  const validation = await runTab(page, 'ValidateCanvas');
  check(validation.data?.canvasValidate.valid === true, 'the canvas of the default tab is valid', JSON.stringify(validation));

  const catalogue = await runTab(page, 'Catalogue');
  check(!catalogue.errors && catalogue.data.blockTypes.length > 0, `block types in the catalogue: ${catalogue.data?.blockTypes.length}`, JSON.stringify(catalogue.errors));

  await page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
  const field = page.locator('.docExplorerWrap, .graphiql-explorer-root').getByText('blockTypes', { exact: true }).first();
  await field.waitFor();
  check(true, 'the explorer offers the fields of the schema');
  await page.getByRole('button', { name: 'Hide GraphiQL Explorer' }).click();
  await page.getByRole('button', { name: 'Show History' }).click();
  await page.locator('.graphiql-history-item').filter({ hasText: 'Catalogue' }).first().waitFor();
  check(true, 'the history lists what was run');
  await page.getByRole('button', { name: 'Hide History' }).click();
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  const headers = await page.evaluate(() =>
    globalThis.__MONACO?.editor.getModels().some((model) => model.uri.path.includes('header')),
  );
  check(headers, 'the headers have a tab with an editor');
  await page.getByRole('button', { name: 'Variables', exact: true }).click();

  const nested = await runTab(page, 'DesignsWithRuns');
  check(nested.data && !nested.errors, 'the nested query answers with data and no errors', JSON.stringify(nested.errors));
  const throughputs = (nested.data?.designs.nodes ?? [])
    .flatMap((design) => design.runs.nodes)
    .map((run) => run.summary?.throughputQps)
    .filter((value) => value > 0);
  check(throughputs.length > 0, `runs with a throughput in the response pane: ${throughputs.length}`, 'none');
  const rendered = await page.locator('.graphiql-response .view-lines').textContent();
  check(rendered.includes('designs'), 'the response pane renders the answer', rendered);
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  // Playwright starts the browser with a fresh profile of its own.
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(TIMEOUT_MS);
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.warn(`csp-violation ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const seen = watch(page);
  try {
    await drive(page);
  } catch (error) {
    check(false, 'the walk through the playground', error);
  }
  await page.screenshot({ path: screenshotPath });
  // All that ever started: Monaco replaces the JSON worker whenever the variables' schema changes.
  for (const kind of ['editor', 'graphql', 'json']) {
    const prefix = `${origin}/graphiql/assets/${kind}.worker-`;
    check(seen.workers.some((url) => url.startsWith(prefix)), `the ${kind} worker runs from its own file`, seen.workers.join(' '));
  }
  check(seen.errors.length === 0, 'no error on the console', seen.errors.join(' | '));
  check(seen.violations.length === 0, 'no violation of the content security policy', seen.violations.join(' | '));
  check(seen.strangers.length === 0, 'no request to any other origin', seen.strangers.join(' | '));
} finally {
  await browser.close();
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;
