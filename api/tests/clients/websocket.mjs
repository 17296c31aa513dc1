// Checks a server against graphql-transport-ws, message by message and with the reference client of the npm package
// graphql-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).
import { createHmac } from 'node:crypto';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { signIn, socketEndpoint, submitJob } from './session.mjs';

const PATIENCE_MS = 15_000;
const WATCH = 'subscription ($id: ID!) { simulationJobUpdated(id: $id) { sequence job { id status progress } } }';

const authorization = await signIn();

/** A token of the same user that ends after so many seconds; JWT_SECRET must be the server's. */
function tokenFor(seconds) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(authorization.split('.')[1], 'base64url').toString());
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...claims, exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `Bearer ${signed}.${createHmac('sha256', process.env.JWT_SECRET).update(signed).digest('base64url')}`;
}

/** A socket whose messages are read one after another. */
class Socket {
  #inbox = [];
  #wake = () => {};

  constructor(protocol = 'graphql-transport-ws') {
    this.ws = new WebSocket(socketEndpoint, [protocol]);
    const add = (event) => {
      this.#inbox.push(event);
      this.#wake();
    };
    this.ws.on('open', () => add({ type: 'open', protocol: this.ws.protocol }));
    this.ws.on('message', (data) => add(JSON.parse(String(data))));
    this.ws.on('close', (code, reason) => add({ type: 'close', code, reason: String(reason) }));
    this.ws.on('error', (error) => add({ type: 'failed', error: error.message }));
  }

  send(message) {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next event; throws when none comes. */
  async next() {
    const deadline = Date.now() + PATIENCE_MS;
    while (this.#inbox.length === 0) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error('the server says nothing');
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#inbox.shift();
  }

  /** The next event, which must have these members. */
  async expect(members) {
    const event = await this.next();
    for (const [name, value] of Object.entries(members)) {
      if (event[name] !== value) throw new Error(`expected ${JSON.stringify(members)}, got ${JSON.stringify(event)}`);
    }
    return event;
  }

  /** Whether the socket is alive and has nothing else to say: answers come in order. */
  async expectQuiet() {
    this.send({ type: 'ping', payload: { quiet: true } });
    await this.expect({ type: 'pong' });
  }
}

async function open(payload) {
  const socket = new Socket();
  await socket.expect({ type: 'open', protocol: 'graphql-transport-ws' });
  if (payload !== undefined) socket.send({ type: 'connection_init', payload });
  return socket;
}

async function ready(payload = { authorization }) {
  const socket = await open(payload);
  await socket.expect({ type: 'connection_ack' });
  return socket;
}

/** Claims and the steps that show them; a step that throws breaks its claim. */
const checks = {
  async 'another subprotocol is refused'() {
    const socket = new Socket('graphql-ws');
    await socket.expect({ type: 'failed' });
    return socket;
  },
  async 'connection_init is acknowledged, signed in or not'() {
    (await ready({})).ws.terminate();
    (await ready({ Authorization: authorization })).ws.terminate();
    return ready();
  },
  async 'a bad token closes with 4403'() {
    const socket = await open({ authorization: 'Bearer nonsense' });
    await socket.expect({ type: 'close', code: 4403 });
    return socket;
  },
  async 'no connection_init closes with 4408'() {
    const socket = await open();
    await socket.expect({ type: 'close', code: 4408 });
    return socket;
  },
  async 'a second connection_init closes with 4429'() {
    const socket = await ready();
    socket.send({ type: 'connection_init' });
    await socket.expect({ type: 'close', code: 4429 });
    return socket;
  },
  async 'ping is answered before and after the acknowledgement, pong is not'() {
    const socket = await open();
    socket.send({ type: 'ping' });
    await socket.expect({ type: 'pong' });
    socket.send({ type: 'connection_init' });
    await socket.expect({ type: 'connection_ack' });
    socket.send({ type: 'pong' });
    await socket.expectQuiet();
    return socket;
  },
  async 'subscribe before connection_init closes with 4401'() {
    const socket = await open();
    socket.send({ id: '1', type: 'subscribe', payload: { query: '{ __typename }' } });
    await socket.expect({ type: 'close', code: 4401 });
    return socket;
  },
  async 'whatever is no message closes with 4400'() {
    for (const bad of ['{nope', '[]', { type: 'bogus' }, { type: 'subscribe', payload: { query: '{ __typename }' } }, { type: 'subscribe', id: '1' }]) {
      const socket = await ready();
      socket.send(bad);
      await socket.expect({ type: 'close', code: 4400 });
    }
  },
  async 'an id in use closes with 4409, with a reason that fits however long the id'() {
    const socket = await ready();
    const id = await submitJob(authorization);
    const message = { id: 'é'.repeat(200), type: 'subscribe', payload: { query: WATCH, variables: { id } } };
    socket.send(message);
    socket.send(message);
    let event = await socket.next();
    while (event.type === 'next') event = await socket.next();
    if (event.code !== 4409) throw new Error(JSON.stringify(event));
    return socket;
  },
  async 'a query gives one result and completes, and its id is free again'() {
    const socket = await ready();
    for (let round = 0; round < 2; round += 1) {
      socket.send({ id: 'q', type: 'subscribe', payload: { query: 'query ($id: ID!) { node(id: $id) { id } }', variables: { id: 'bm90aGluZw' } } });
      const { payload } = await socket.expect({ type: 'next', id: 'q' });
      if (payload.data.node !== null || payload.errors) throw new Error(JSON.stringify(payload));
      await socket.expect({ type: 'complete', id: 'q' });
    }
    return socket;
  },
  async 'a document that is refused gives one error message and leaves the socket open'() {
    const socket = await ready();
    for (const query of ['{', '{ nothingOfTheKind }', `{ ${'__typename '.repeat(100)} }`]) {
      socket.send({ id: 'e', type: 'subscribe', payload: { query } });
      const { payload } = await socket.expect({ type: 'error', id: 'e' });
      if (!Array.isArray(payload) || !payload[0].extensions.code) throw new Error(JSON.stringify(payload));
      await socket.expectQuiet();
    }
    return socket;
  },
  async 'a subscription to what is not there gives an error message'() {
    const socket = await ready();
    socket.send({ id: 'n', type: 'subscribe', payload: { query: WATCH, variables: { id: 'bm90aGluZw' } } });
    await socket.expect({ type: 'error', id: 'n' });
    await socket.expectQuiet();
    return socket;
  },
  async 'two subscriptions share a socket, each in order and to its end'() {
    const socket = await ready();
    const ids = { a: await submitJob(authorization), b: await submitJob(authorization) };
    for (const [name, id] of Object.entries(ids)) {
      socket.send({ id: name, type: 'subscribe', payload: { query: WATCH, variables: { id } } });
    }
    const seen = { a: [], b: [] };
    for (let running = 2; running > 0; ) {
      const event = await socket.next();
      if (event.type === 'next') seen[event.id].push(event.payload.data.simulationJobUpdated);
      else if (event.type === 'complete') running -= 1;
      else throw new Error(JSON.stringify(event));
    }
    for (const [name, updates] of Object.entries(seen)) {
      const sequences = updates.map((update) => update.sequence);
      const ordered = sequences.every((sequence, i) => i === 0 || sequence > sequences[i - 1]);
      const last = updates.at(-1)?.job;
      if (!ordered || last?.id !== ids[name] || last.status !== 'COMPLETED') throw new Error(JSON.stringify(updates));
    }
    return socket;
  },
  async 'complete stops a subscription'() {
    const socket = await ready();
    const variables = { id: await submitJob(authorization) };
    socket.send({ id: 's', type: 'subscribe', payload: { query: WATCH, variables } });
    await socket.expect({ type: 'next', id: 's' });
    socket.send({ id: 's', type: 'complete' });
    socket.send({ type: 'ping' });
    // What was on its way before the server read the message may still come, nothing after its answer.
    let event = await socket.next();
    while (event.type === 'next') event = await socket.next();
    if (event.type !== 'pong') throw new Error(JSON.stringify(event));
    const followed = new Socket();
    await followed.expect({ type: 'open' });
    followed.send({ type: 'connection_init', payload: { authorization } });
    await followed.expect({ type: 'connection_ack' });
    followed.send({ id: 'f', type: 'subscribe', payload: { query: WATCH, variables } });
    for (event = await followed.next(); event.type === 'next'; ) event = await followed.next();
    if (event.type !== 'complete') throw new Error(JSON.stringify(event));
    followed.ws.terminate();
    await socket.expectQuiet();
    return socket;
  },
  async 'the client of graphql-ws comes back with a fresh token when its token has ended'() {
    const short = tokenFor(2);
    const tokens = [short, authorization];
    const closes = [];
    await new Promise((resolve, reject) => {
      const client = createClient({
        url: socketEndpoint,
        webSocketImpl: WebSocket,
        lazy: false,
        onNonLazyError: reject,
        connectionParams: () => ({ authorization: tokens.shift() }),
        retryWait: () => Promise.resolve(),
        on: {
          closed: ({ code }) => closes.push(code),
          connected: () => closes.length > 0 && resolve(client.dispose()),
        },
      });
    });
    if (closes[0] !== 4403 || tokens.length !== 0) throw new Error(JSON.stringify(closes));
  },
  async 'the client of graphql-ws follows a job to its end'() {
    const client = createClient({
      url: socketEndpoint,
      webSocketImpl: WebSocket,
      connectionParams: { authorization },
      retryAttempts: 0,
    });
    const statuses = [];
    const variables = { id: await submitJob(authorization) };
    for await (const { data, errors } of client.iterate({ query: WATCH, variables })) {
      if (errors) throw new Error(JSON.stringify(errors));
      statuses.push(data.simulationJobUpdated.job.status);
    }
    await client.dispose();
    if (statuses.at(-1) !== 'COMPLETED') throw new Error(statuses.join(', '));
  },
};

let failed = 0;
for (const [claim, steps] of Object.entries(checks)) {
  try {
    const socket = await steps();
    socket?.ws.terminate();
    console.log(`ok ${claim}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${claim}: ${error.message}`);
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
