// SPDX-License-Identifier: MIT
// classify.test.js - what classify() says of a server that is away, as the drivers themselves tell it.
import { classify } from '@lex-intel/shared';
import Redis from 'ioredis';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import pg from 'pg';
import postgres from 'postgres';

/** The port of a server that does only this with who comes. */
async function portOf(t, serve) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    serve(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server.address().port;
}

const hangUp = (socket) => socket.once('data', () => socket.destroy());
const saysNothing = () => {};

/** PostgreSQL, until it is asked to sleep. */
function untilAsleep(socket) {
  const { hostname, port } = new URL(process.env.DATABASE_URL);
  const server = net.connect(Number(port), hostname);
  socket.on('data', (bytes) => (bytes.includes('pg_sleep') ? socket.destroy() : server.write(bytes)));
  socket.on('close', () => server.destroy());
  server.on('data', (bytes) => socket.write(bytes));
}

/** A port that nobody listens at. */
async function closedPort() {
  const server = net.createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  await once(server.close(), 'close');
  return port;
}

async function retryable(promise, words) {
  const error = await promise.then(assert.fail, (thrown) => thrown);
  assert.match(`${error.name} ${error.code} ${error.message}`, words);
  assert.equal(classify(error), 'retryable', String(error));
  assert.equal(classify(new Error('it did not work', { cause: error })), 'retryable', `the cause: ${error}`);
}

const pgOf = (port, more) => {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'a', database: 'a', ...more });
  client.on('error', () => {});
  return client;
};

test('pg: a connection that ends, a server that does not answer', async (t) => {
  await retryable(pgOf(await portOf(t, hangUp)).connect(), /Connection terminated unexpectedly/);
  const silent = await portOf(t, saysNothing);
  await retryable(pgOf(silent, { connectionTimeoutMillis: 20 }).connect(), /timeout expired/);
  await retryable(pgOf(await closedPort()).connect(), /ECONNREFUSED/);
  const pool = new pg.Pool({ host: '127.0.0.1', port: silent, user: 'a', connectionTimeoutMillis: 20 });
  await retryable(pool.query('SELECT 1'), /Connection terminated due to connection timeout/);
});

test('postgres.js: the same', async (t) => {
  const ask = async (port, timeoutS = 30) => {
    const { username: user, password, pathname } = new URL(process.env.DATABASE_URL);
    const login = { user, password, database: pathname.slice(1) };
    const sql = postgres({ host: '127.0.0.1', port, ...login, connect_timeout: timeoutS });
    t.after(() => sql.end({ timeout: 0 }));
    await sql`SELECT pg_sleep(60)`;
  };
  await retryable(ask(await portOf(t, untilAsleep)), /CONNECTION_CLOSED/);
  await retryable(ask(await portOf(t, saysNothing), 0.05), /CONNECT_TIMEOUT/);
  await retryable(ask(await closedPort()), /ECONNREFUSED/);
});

test('ioredis: the same', async (t) => {
  const get = async (port, more) => {
    const redis = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 1, ...more });
    redis.on('error', () => {});
    t.after(() => redis.disconnect());
    await redis.get('a');
  };
  await retryable(get(await portOf(t, saysNothing), { commandTimeout: 20 }), /Command timed out/);
  const port = await closedPort();
  await retryable(get(port, { maxRetriesPerRequest: 1 }), /MaxRetriesPerRequestError/);
  await retryable(get(port, { retryStrategy: null }), /Connection is closed/);
});

test('http and fetch: the same', async (t) => {
  const port = await portOf(t, hangUp);
  const asked = new Promise((resolve, reject) => http.get({ port, host: '127.0.0.1' }, resolve).on('error', reject));
  await retryable(asked, /ECONNRESET socket hang up/);
  await retryable(fetch(`http://127.0.0.1:${port}`), /fetch failed/);
  await retryable(fetch(`http://127.0.0.1:${await closedPort()}`), /fetch failed/);
});

test('what another try does not mend stays permanent', async () => {
  await assert.rejects(fetch('nosuch://a'), (error) => classify(error) === 'permanent');
  const own = new Error('its own cause');
  own.cause = own;
  assert.equal(classify(own), 'permanent');
  for (const code of ['ENOENT', 'EPERM', 'ERR_INVALID_ARG_TYPE', 'UND_ERR_INVALID_ARG', '23505']) {
    assert.equal(classify(Object.assign(new Error(code), { code })), 'permanent', code);
  }
  for (const code of ['EPIPE', 'EAI_AGAIN', '40001']) {
    assert.equal(classify(Object.assign(new Error(code), { code })), 'retryable', code);
  }
});
