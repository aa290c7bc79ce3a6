// SPDX-License-Identifier: MIT
// behaviour.test.js - what people rely on without reading of it: the process ends, errors arrive, workers may be
// terminated, large answers leave the loop free.
import { Client, PermanentError, RetryableError, classify, connect, sql } from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { clientOf, documentOf, run } from './helper.js';

test('the process ends when nothing is pending, though nothing was closed', async () => {
  const { code, out } = await run(`
    import { connect } from '@lex-intel/shared';
    const client = await connect();
    await client.ping();
    await client.session().query\`SELECT 1\`;
    process.on('exit', () => console.log(process.uptime() < 20 ? 'ended' : 'late'));`);
  assert.deepEqual([code, out], [0, 'ended\n']);
});

test('the process waits as long as something is', async () => {
  const { code, out } = await run(`
    import { connect } from '@lex-intel/shared';
    const client = await connect();
    client.session().query\`SELECT pg_sleep(0.2)\`.then(() => console.log('answered'));`);
  assert.deepEqual([code, out], [0, 'answered\n']);
});

test('what a callback throws reaches uncaughtException, and later awaits still work', async () => {
  const { code, out, err } = await run(`
    import { connect } from '@lex-intel/shared';
    const client = await connect();
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    await client.ping();
    queueMicrotask(() => { throw new Error('in a microtask of our callback'); });
    const [{ one }] = await client.session().query\`SELECT 1 AS one\`;
    console.log('later', one);`);
  assert.deepEqual([code, out, err], [0, 'uncaught in a microtask of our callback\nlater 1\n', '']);
});

test('a rejection that nobody handles ends the process, as any other', async () => {
  const { code, err } = await run(`
    import { connect } from '@lex-intel/shared';
    const client = await connect();
    client.session().query\`SELECT 1/0\`;`);
  assert.equal(code, 1);
  assert.match(err, /PermanentError: division by zero/);
});

test('a client that was not closed is collected, and warned of', async () => {
  const { code, out, err } = await run(
    `
    import { connect } from '@lex-intel/shared';
    import { readdirSync } from 'node:fs';
    import { setImmediate } from 'node:timers/promises';
    const open = () => readdirSync('/proc/self/fd').length;
    await (await connect()).ping();
    const before = open();
    for (let n = 0; n < 20; n++) await (await connect()).ping();
    for (let n = 0; n < 50 && open() > before; n++) { gc(); await setImmediate(); }
    console.log(open() <= before);`,
    { args: ['--expose-gc'] },
  );
  assert.deepEqual([code, out], [0, 'true\n'], err);
  assert.match(err, /SHARED_UNCLOSED.*a client was not closed/);
});

test('a client with a request under way is not collected', async () => {
  const { out } = await run(
    `
    import { connect } from '@lex-intel/shared';
    const slow = (async () => (await (await connect()).session().query\`SELECT 7 AS n FROM pg_sleep(0.3)\`)[0].n)();
    const timer = setInterval(gc, 10);
    console.log(await slow);
    clearInterval(timer);`,
    { args: ['--expose-gc'] },
  );
  assert.equal(out, '7\n');
});

test('await using, where Node has the syntax: dispose closes', async (t) => {
  const client = await connect();
  const session = client.session();
  await session[Symbol.asyncDispose]();
  assert.ok(session.closed);
  await client[Symbol.asyncDispose]();
  assert.ok(client.closed);
  assert.equal(t.name.startsWith('await using'), true);
});

test('require() and import have one copy, and one class for an error', async (t) => {
  const required = createRequire(import.meta.url)('@lex-intel/shared');
  const imported = await import('@lex-intel/shared');
  assert.deepEqual(
    Object.keys(required).sort(),
    Object.keys(imported)
      .filter((name) => name !== 'default')
      .sort(),
  );
  assert.equal(required.PermanentError, imported.PermanentError);
  const client = await required.connect();
  t.after(() => client.close());
  await assert.rejects(client.session().query`SELECT 1/0`, imported.PermanentError);
});

test('100 000 rows come some at a time, and the loop turns between them', async (t) => {
  const client = await clientOf(t);
  let turns = 0;
  const count = () => {
    turns++;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  const question = sql`SELECT n, 'row ' || n AS words, now() AS at, n * 2 AS twice FROM generate_series(1, 100000) n`;
  const dispatch = Client.prototype.dispatch;
  const between = []; // turns of the loop from one dispatch to the next
  t.mock.method(Client.prototype, 'dispatch', function () {
    between.push(turns);
    return dispatch.call(this);
  });
  const rows = await client.session().query(question);
  clearImmediate(timer);
  assert.equal(rows.length, 100000);
  // 8192 cells at most are made in one call: rows.c
  assert.ok(new Set(between).size >= 400000 / 8192, `${new Set(between).size} turns`);
});

const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { connect } = require('@lex-intel/shared');
  (async () => {
    const client = await connect();
    const session = client.session();
    (async () => { for await (const event of client.progress.watchAll()) void event; })().catch(() => {});
    for (let n = 0; ; n++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => session.get('document', workerData)));
      if (n === 0) parentPort.postMessage(answers[0].id);
    }
  })();`;

test('workers have clients of their own, and may be terminated at any moment', async (t) => {
  const document = await documentOf(await clientOf(t));
  for (let round = 0; round < 3; round++) {
    const workers = Array.from({ length: 4 }, () => new Worker(WORKER, { eval: true, workerData: document }));
    await Promise.all(
      workers.map(
        (worker, place) =>
          new Promise((resolve, reject) => {
            worker.once('error', reject);
            worker.once(place % 2 ? 'message' : 'online', resolve);
          }),
      ),
    );
    const codes = await Promise.all(workers.map((worker) => worker.terminate()));
    assert.deepEqual(codes, [1, 1, 1, 1]);
  }
});

test('a worker that ends by itself ends its client', async () => {
  const worker = new Worker(
    `
    const { connect } = require('@lex-intel/shared');
    connect().then(async (client) => { await client.ping(); process.exit(3); });`,
    { eval: true },
  );
  assert.equal(
    await new Promise((resolve) => {
      worker.once('exit', resolve);
    }),
    3,
  );
});

test('loaded anew, as test runners do, each copy has its own errors', async () => {
  const { code, out, err } = await run(`
    import { createRequire } from 'node:module';
    const require = createRequire(import.meta.url);
    const load = () => {
      for (const name of Object.keys(require.cache)) delete require.cache[name];
      return require('@lex-intel/shared');
    };
    const [first, second] = [load(), load()];
    console.log(first.AbortError === second.AbortError);
    for (const { AbortError, InvalidError, connect } of [first, second, first]) {
      const client = await connect();
      const invalid = await client.progress.publish('a\\0b', 1, 'starting').catch((error) => error);
      const controller = new AbortController();
      const heard = client.progress.watchAll({ signal: controller.signal }).next().catch((error) => error);
      await client.ping();
      controller.abort(new Error('enough'));
      const error = await heard;
      console.log(invalid instanceof InvalidError, error instanceof AbortError, error.cause?.message);
      await client.close();
    }`);
  assert.deepEqual([code, out, err], [0, `false\n${'true true enough\n'.repeat(3)}`, '']);
});

test('classify, for errors of others too', () => {
  const errors = [
    [new PermanentError('x'), 'permanent'],
    [new RetryableError('x'), 'retryable'],
    [new Error('x'), 'permanent'],
    [Object.assign(new Error('pg'), { code: '40001' }), 'retryable'],
    [Object.assign(new Error('pg'), { code: '23505' }), 'permanent'],
    [Object.assign(new Error('ours'), { sqlstate: '57P01' }), 'retryable'],
    [Object.assign(new Error('net'), { code: 'ECONNRESET', errno: -104 }), 'retryable'],
    [Object.assign(new Error('fs'), { code: 'ENOENT', errno: -2 }), 'permanent'],
    [Object.assign(new Error('LOADING Redis is loading'), { name: 'ReplyError' }), 'retryable'],
    [Object.assign(new Error('WRONGTYPE'), { name: 'ReplyError' }), 'permanent'],
    [new DOMException('late', 'TimeoutError'), 'retryable'],
    [null, 'permanent'],
    [undefined, 'permanent'],
    ['text', 'permanent'],
  ];
  for (const [error, expected] of errors) assert.equal(classify(error), expected, String(error));
});
