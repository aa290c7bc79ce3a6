// SPDX-License-Identifier: MIT
// bad_input.test.js - whatever is given, the answer is an error with a class, which names what is wrong: never a crash
// of the process, and the client works on.
import { AbortError, ClosedError, InvalidError, PermanentError, Timestamp, connect, sql } from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientOf, documentOf, id } from './helper.js';

/** Each call throws, or rejects, with the class; and the message has the word. */
async function refused(calls, kind = InvalidError) {
  for (const [word, call] of calls) {
    await assert.rejects(
      async () => call(),
      (error) => {
        assert.ok(error instanceof kind, `${call}: ${error.stack}`);
        assert.ok(error.message.includes(word), `${call}: ${error.message}`);
        return true;
      },
    );
  }
}

async function alive(client) {
  const [{ one }] = await client.session().query(sql`SELECT 1 AS one`, { readOnly: true });
  assert.equal(one, 1);
}

test('wrong types', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  await refused([
    ['model', () => session.get('documents', 'x')],
    ['model', () => session.get(Symbol('x'), 'x')],
    ['model', () => session.get('constructor', 'x')],
    ['model', () => session.get('__proto__', 'x')],
    ['key', () => session.get('document', 7)],
    ['key', () => session.get('document')],
    ['key', () => session.get('documentPage', 'doc')],
    ['page', () => session.get('documentPage', { documentId: 'doc' })],
    ['keys', () => session.getMany('document', 'doc')],
    ['ids', () => session.getMany('document', [7])],
    ['an object', () => session.add('document', null)],
    ['file_name', () => session.add('document', { file_name: 'a' })],
    ['fileName', () => session.add('document', { file_name: 'a' })],
    ['a string', () => session.add('case', { title: {} })],
    ['a string', () => session.add('case', { title: true })],
    ['whole number', () => session.addMany('document', [{ fileName: 'a', pageCount: 1.5 }])],
    ['array', () => session.addMany('document', {})],
    ['number 1', () => session.addMany('case', [{ title: 'a' }, 7])],
    ['where', () => session.select('case', 'id = 1')],
    ['orderBy', () => session.select('case', undefined, { orderBy: 7 })],
    ['limit', () => session.select('case', undefined, { limit: -1 })],
    ['lock', () => session.select('case', undefined, { lock: 'all' })],
    ['there is no "limits"', () => session.select('case', undefined, { limits: 1 })],
    ['template', () => session.query('SELECT 1')],
    ['template', () => session.query()],
    ['template', () => sql('SELECT 1')],
    ['template', () => session.query(['SELECT 1'])],
    ['rowsPerBatch', () => session.stream(sql`SELECT 1`, { rowsPerBatch: 0 })],
    ['function', () => session.transaction(7)],
    ['JSON', () => session.enqueue('t', [{ a: 1n }])],
    ['isolation', () => session.transaction(() => {}, { isolation: 'dirty' })],
    ['signal', () => session.get('case', 'x', { signal: {} })],
    ['documentId', () => client.progress.publish(7, 1, 'a')],
    ['progress', () => client.progress.publish('d', 101, 'a')],
    ['progress', () => client.progress.publish('d', NaN, 'a')],
    ['step', () => client.progress.publish('d', 1, null)],
    ['documentId', () => client.progress.watch({})],
    ['at least one', () => client.progress.watch([])],
    ['task', () => client.queue.send(7)],
    ['args', () => client.queue.send('t', 'x')],
    ['JSON', () => client.queue.send('t', [1n])],
    ['priority', () => client.queue.send('t', [], { priority: 10 })],
    ['eta', () => client.queue.send('t', [], { eta: 7 })],
    ['countdownMs', () => client.queue.send('t', [], { countdownMs: 0.5 })],
    ['handler', () => client.queue.work('t', null)],
    ['concurrency', () => client.queue.work('t', () => {}, { concurrency: 0 })],
    ['timeoutMs', () => client.queue.result('x', { timeoutMs: -1 })],
    ['databaseUrls', () => connect({ databaseUrls: 'x' })],
    ['poolSize', () => connect({ poolSize: {} })],
    ['POOL_SIZE', () => connect({ poolSize: 'many' })],
    ['settings', () => connect('postgres://')],
  ]);
  await alive(client);
});

test('values that SQL has not', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  const loop = {};
  loop.loop = loop;
  await refused([
    ['value 1', () => session.query`SELECT ${undefined}`],
    ['value 2', () => session.query`SELECT ${1}, ${Symbol('x')}`],
    ['value 1', () => session.query`SELECT ${() => {}}`],
    ['JSON', () => session.query`SELECT ${loop}`],
    ['JSON', () => session.query`SELECT ${{ a: 1n }}`],
    ['value 1', () => session.query`SELECT ${new Map()}`],
    ['invalid Date', () => session.query`SELECT ${new Date('x')}`],
    ['array', () => session.query`SELECT ${[1, 'a']}`],
    ['array', () => session.query`SELECT ${[1n, null]}`],
    ['array', () => session.query`SELECT ${[[1]]}`],
    ['invalid Date', () => session.add('case', { title: 'a', createdAt: new Date(NaN) })],
    ['value 1', () => session.query`SELECT ${session}`],
  ]);
  await alive(client);
});

test('a Number beyond 2^53, a BigInt beyond 64 bits', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  await refused([
    ['2^53', () => session.query`SELECT ${2 ** 53}`],
    ['2^53', () => session.query`SELECT ${-(2 ** 60)}`],
    ['2^53', () => session.query`SELECT ${[2 ** 53]}`],
    ['byte_size: 9007199254740992', () => session.add('document', { fileName: 'a', byteSize: 2 ** 53 })],
    ['64 bits', () => session.query`SELECT ${2n ** 63n}`],
    ['64 bits', () => session.add('document', { fileName: 'a', byteSize: 2n ** 64n })],
    ['page_count', () => session.add('document', { fileName: 'a', pageCount: NaN })],
    ['page_count', () => session.add('document', { fileName: 'a', pageCount: Infinity })],
  ]);
  const [{ nan, most }] = await session.query`SELECT ${NaN}::float8 AS nan, ${2n ** 63n - 1n}::int8 AS most`;
  assert.deepEqual([nan, most], [NaN, 2n ** 63n - 1n]);
});

test('a NUL, half of a surrogate pair, and the character that it would turn into', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  await refused([
    ['NUL', () => session.get('document', 'a\0b')],
    ['NUL', () => session.query`SELECT ${'a\0'}`],
    ['NUL', () => session.add('case', { title: '\0' })],
    ['NUL', () => client.progress.publish('d\0', 1, 'a')],
    ['index 1', () => session.query`SELECT ${'a\uD800'}`],
    ['index 0', () => session.query`SELECT ${'\uDC00a'}`],
    ['index 300', () => session.query`SELECT ${`${'é'.repeat(300)}\uD834x`}`],
    ['surrogate', () => session.add('case', { title: 'x\uDFFF' })],
    ['surrogate', () => session.getMany('document', ['\uD800'])],
    ['surrogate', () => client.queue.send('\uD800')],
    ['surrogate', () => session.query`SELECT ${['a', '\uD800']}`],
  ]);
  for (const words of ['\uFFFD', '𝄞\uFFFD', `${'x'.repeat(187)}𝄞𝄞`, `${'x'.repeat(191)}`, 'é'.repeat(96), '']) {
    const [{ back }] = await session.query`SELECT ${words}::text AS back`;
    assert.equal(back, words);
  }
});

test('a detached ArrayBuffer, a shared one; views of all kinds', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  const gone = new Uint8Array(8);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  await refused([
    ['detached', () => session.query`SELECT ${gone}`],
    ['detached', () => session.query`SELECT ${gone.buffer}`],
    ['shared', () => session.query`SELECT ${new Uint8Array(new SharedArrayBuffer(8))}`],
    ['shared', () => session.query`SELECT ${new SharedArrayBuffer(8)}`],
    ['shared', () => session.query`SELECT ${new DataView(new SharedArrayBuffer(8))}`],
  ]);
  const bytes = new Uint8Array([9, 1, 2, 3, 4, 9]).buffer;
  for (const view of [
    new Uint8Array(bytes, 1, 4),
    new DataView(bytes, 1, 4),
    Buffer.from(bytes, 1, 4),
    bytes.slice(1, 5),
    new Uint16Array(new Uint8Array([1, 2, 3, 4]).buffer),
    new Float32Array(new Uint8Array([1, 2, 3, 4]).buffer),
  ]) {
    const [{ back }] = await session.query`SELECT ${view} AS back`;
    assert.deepEqual([...back], [1, 2, 3, 4], view.constructor.name);
  }
  const [{ none }] = await session.query`SELECT ${new Uint8Array()} AS none`;
  assert.equal(none.length, 0);
});

test('parameters of 100 MB', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  const size = 100_000_000;
  const [row] = await session.query`SELECT length(${'x'.repeat(size)}) AS text, length(${Buffer.alloc(size)}) AS bytes`;
  assert.deepEqual(row, { text: size, bytes: size });
  assert.throws(() => session.add('case', { title: 'x'.repeat(size) }), { code: 'schema' });
});

test('closed clients and sessions, and calls in flight when they close', async (t) => {
  const client = await connect();
  const session = client.session();
  const other = client.session();
  const slow = assert.rejects(session.query`SELECT pg_sleep(30)`, { code: 'closed' });
  const heard = assert.rejects(async () => {
    for await (const event of client.progress.watchAll()) assert.ok(event);
  }, ClosedError);
  await other.close();
  await other.close();
  await refused(
    [
      ['closed', () => other.get('case', 'x')],
      ['closed', () => other.add('case', { title: 'x' })],
      ['closed', () => other.query`SELECT 1`],
      ['closed', () => other.commit()],
      ['closed', () => other.transaction(() => {})],
    ],
    ClosedError,
  );
  await client.close();
  await client.close();
  await Promise.all([slow, heard]);
  await refused(
    [
      ['closed', () => client.session()],
      ['closed', () => client.ping()],
      ['closed', () => session.get('case', 'x')],
      ['closed', () => session.query`SELECT 1`],
      ['closed', () => session.commit()],
      ['closed', () => client.progress.publish('d', 1, 'a')],
      ['closed', () => client.progress.watch('d')],
      ['closed', () => client.queue.send('t')],
      ['closed', () => client.queue.stats()],
    ],
    ClosedError,
  );
  assert.equal(client.closed, true);
  await session.close();
  await alive(await clientOf(t));
});

test('a session that is closed rolls back; what is under way ends', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  const key = session.add('case', { title: 'gone' }).id;
  await session.flush();
  const slow = assert.rejects(session.query`SELECT pg_sleep(30)`, { code: 'cancelled' });
  await session.close();
  await slow;
  assert.equal(await client.session().get('case', key), null);
});

test('abort before, during and after', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  const reason = new Error('enough');
  const before = AbortSignal.abort(reason);
  const document = await documentOf(client);
  const calls = [
    (signal) => session.get('case', 'x', { signal }),
    (signal) => session.query(sql`SELECT pg_sleep(30)`, { signal }),
    (signal) => session.transaction(() => session.query(sql`SELECT pg_sleep(30)`, { signal }), { signal }),
    (signal) => client.queue.result(id('task'), { signal }),
    (signal) => client.ping({ signal }),
  ];
  for (const call of calls)
    await assert.rejects(call(before), (error) => error instanceof AbortError && error.cause === reason);
  for (const call of calls.slice(1, 4)) {
    const controller = new AbortController();
    const answer = call(controller.signal);
    setImmediate(() => controller.abort(reason));
    await assert.rejects(
      answer,
      (error) => error instanceof AbortError && error.name === 'AbortError' && error.cause === reason,
    );
    await session.rollback();
  }
  const rows = new AbortController();
  await assert.rejects(
    async () => {
      for await (const { n } of session.stream(sql`SELECT n FROM generate_series(1, 1000000) n`, {
        rowsPerBatch: 10,
        signal: rows.signal,
      })) {
        if (n === 25) rows.abort(reason);
      }
    },
    (error) => error instanceof AbortError && error.cause === reason,
  );
  const after = new AbortController();
  assert.equal((await session.get('document', document, { signal: after.signal })).id, document);
  after.abort(reason);
  await alive(client);
  const timeout = assert.rejects(
    session.query(sql`SELECT pg_sleep(30)`, { signal: AbortSignal.timeout(20) }),
    (error) => error.cause.name === 'TimeoutError',
  );
  await timeout;
});

test('servers that are not there are named', async (t) => {
  const client = await clientOf(t, {
    databaseUrl: 'postgresql://nobody@127.0.0.1:1/none',
    redisUrl: 'redis://127.0.0.1:1',
    celeryBrokerUrl: 'redis://127.0.0.1:1',
  });
  await assert.rejects(client.ping(), (error) => error.retryable && /127\.0\.0\.1/.test(error.message));
  await assert.rejects(client.session().get('case', 'x'), { retryable: true, domain: 'postgres' });
  await assert.rejects(client.queue.stats(), { retryable: true, domain: 'redis' });
});

test('SQL that is wrong is an error of its own, and the session works on after a rollback', async (t) => {
  const session = (await clientOf(t)).session();
  for (const statement of [
    sql``,
    sql`SELEC`,
    sql.raw('SELECT 1; SELECT 2'),
    sql`SELECT $7`,
    sql`SELECT * FROM nowhere`,
    sql`SELECT ${'x'}::int`,
    sql`COMMIT PREPARED 'x'`,
  ]) {
    await assert.rejects(session.query(statement), PermanentError, statement.text);
    await session.rollback();
  }
  const [{ two }] = await session.query`SELECT 2 AS two`;
  assert.equal(two, 2);
});

test('strange times are what PostgreSQL says', async (t) => {
  const session = (await clientOf(t)).session();
  const [row] =
    await session.query`SELECT '0044-03-15 BC'::timestamptz::text AS said, '0044-03-15 BC'::timestamptz AS ides,
    '-infinity'::timestamptz AS never, '1970-01-01Z'::timestamptz AS zero, '2026-01-02 03:04:05.6'::timestamp AS plain`;
  assert.equal(row.ides, row.said);
  assert.equal(row.never, -Infinity);
  assert.equal(row.zero.getTime(), 0);
  assert.equal(row.plain.toISOString(), '2026-01-02T03:04:05.600Z');
  assert.equal(new Timestamp(-1n).toISOString(), '1969-12-31T23:59:59.999999Z');
  assert.equal(new Timestamp(-1n).toMicroseconds(), -1n);
  assert.equal(new Timestamp(new Timestamp(1234567n)).microseconds, 567);
});
