// SPDX-License-Identifier: MIT
// session.test.js - reads, changes and SQL against a real PostgreSQL, looked at with another driver.
import {
  ConflictError,
  InvalidError,
  NotFoundError,
  PermanentError,
  SchemaError,
  Timestamp,
  sql,
} from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientOf, documentOf, id, peerOf } from './helper.js';

test('get, add, commit: what is stored is what another driver reads', async (t) => {
  const client = await clientOf(t);
  const peer = await peerOf(t);
  const session = client.session();
  const key = id('case');
  assert.equal(await session.get('case', key), null);
  const made = session.add('case', { id: key, title: 'Smith v. Jonés 𝄞' });
  assert.equal(made.title, 'Smith v. Jonés 𝄞');
  assert.equal(await session.commit(), 1);
  const {
    rows: [row],
  } = await peer.query('SELECT *, extract(microseconds FROM created_at)::int AS us FROM cases WHERE id = $1', [key]);
  assert.equal(row.title, 'Smith v. Jonés 𝄞');
  assert.equal(made.createdAt.getTime(), row.created_at.getTime());
  assert.equal(made.createdAt.microseconds, row.us % 1000);
  assert.deepEqual(await session.get('case', key), made);
});

test('an object that was added has its key at once, and the rest after the commit', async (t) => {
  const session = (await clientOf(t)).session();
  const made = session.add('document', { fileName: 'a.pdf' });
  assert.match(made.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.equal(made.createdAt, null);
  await session.commit();
  assert.equal(made.extractionStatus, 'pending');
  assert.ok(made.createdAt instanceof Timestamp);
});

test('int64 is exact, both ways', async (t) => {
  const client = await clientOf(t);
  const byteSize = 9007199254741117n;
  const key = await documentOf(client, { byteSize });
  assert.equal((await client.session().get('document', key)).byteSize, byteSize);
  const [row] = await client.session()
    .query`SELECT ${-9223372036854775808n}::int8 AS least, ${7}::int8 AS small, 7 AS four`;
  assert.deepEqual(row, { least: -9223372036854775808n, small: 7n, four: 7 });
});

test('a Timestamp keeps its microseconds', async (t) => {
  const session = (await clientOf(t)).session();
  const moment = new Timestamp('2026-11-24T10:00:00.123456Z');
  const [{ at, words }] =
    await session.query`SELECT ${moment}::timestamptz AS at, ${moment}::timestamptz::text AS words`;
  assert.equal(at.toISOString(), '2026-11-24T10:00:00.123456Z');
  assert.match(words, /\.123456/);
  assert.equal(at.toMicroseconds(), moment.toMicroseconds());
  const [{ far, none }] =
    await session.query`SELECT '9999-12-31 23:59:59.999999Z'::timestamptz AS far, 'infinity'::timestamptz AS none`;
  assert.equal(JSON.stringify(far), '"9999-12-31T23:59:59.999999Z"');
  assert.equal(none, Infinity);
  const [{ before }] = await session.query`SELECT '1901-02-03 04:05:06.000007Z'::timestamptz AS before`;
  assert.equal(before.toISOString(), '1901-02-03T04:05:06.000007Z');
});

test('values of every kind go in and come back', async (t) => {
  const session = (await clientOf(t)).session();
  const bytes = Buffer.from([0, 1, 255]);
  const [row] =
    await session.query`SELECT ${"it's"} AS text, ${1.5}::float8 AS float, ${true} AS truth, ${null}::text AS none,
    ${{ a: [1, null] }}::jsonb AS json, ${bytes} AS bytes, ${['a', null, 'b"']} AS texts, ${[1n, -2n]} AS ints,
    12345678901234567890.5::numeric AS exact, '2026-02-03'::date AS day, gen_random_uuid() AS uuid`;
  assert.match(row.uuid, /^[0-9a-f-]{36}$/);
  delete row.uuid;
  assert.deepEqual(row, {
    text: "it's",
    float: 1.5,
    truth: true,
    none: null,
    json: { a: [1, null] },
    bytes,
    texts: ['a', null, 'b"'],
    ints: [1n, -2n],
    exact: '12345678901234567890.5',
    day: '2026-02-03',
  });
});

test('an array of several dimensions is arrays of arrays', async (t) => {
  const session = (await clientOf(t)).session();
  const [row] = await session.query`SELECT ARRAY[[1,2],[3,NULL]] AS ints, ARRAY[[[1::int8]],[[2]]] AS deep,
    ARRAY[['a}','"{'],['\\,',NULL]] AS texts, '[0:1][5:5]={{1},{2}}'::int[] AS moved, '{}'::text[] AS none,
    ARRAY['{{1}}', '', 'NULL'] AS flat, ARRAY[[1.5],[2]]::float8[] AS floats`;
  assert.deepEqual(row, {
    ints: [
      [1, 2],
      [3, null],
    ],
    deep: [[[1n]], [[2n]]],
    texts: [
      ['a}', '"{'],
      ['\\,', null],
    ],
    moved: [[1], [2]],
    none: [],
    flat: ['{{1}}', '', 'NULL'],
    floats: '{{1.5},{2}}',
  });
});

test('pieces of SQL are put together with their values apart', async (t) => {
  const client = await clientOf(t);
  const key = await documentOf(client, { fileName: 'x"y.pdf' });
  const condition = sql`${sql.identifier('file_name')} = ${'x"y.pdf'} AND ${sql`id = ${key}`}`;
  assert.equal(condition.text, '"file_name" = $1 AND id = $2');
  const rows = await client.session().query`SELECT id FROM documents WHERE ${condition} LIMIT ${1}`;
  assert.deepEqual([...rows], [{ id: key }]);
  assert.equal(rows.count, 1);
});

test('select: a condition, an order, pages by the last row', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  const caseId = session.add('case', { title: 'pages' }).id;
  session.addMany(
    'document',
    Array.from({ length: 25 }, (_, n) => ({ caseId, fileName: `${n}.pdf` })),
  );
  assert.equal(await session.commit(), 26);
  const seen = [];
  for (let after; ; ) {
    const page = await session.select('document', sql`case_id = ${caseId}`, {
      orderBy: 'createdAt DESC, id',
      limit: 10,
      after,
    });
    seen.push(...page.map(({ fileName }) => fileName));
    if (page.length < 10) break;
    after = page.at(-1);
  }
  assert.equal(new Set(seen).size, 25);
  assert.equal(seen.length, 25);
});

test('getMany keeps the order of the keys; a composite key is an object', async (t) => {
  const client = await clientOf(t);
  const [one, two] = [await documentOf(client), await documentOf(client)];
  const session = client.session();
  assert.deepEqual(
    (await session.getMany('document', [two, 'nobody', one])).map((row) => row.id),
    [two, one],
  );
  session.add('documentPage', { documentId: one, page: 3, text: 'words', source: 'text' });
  await session.commit();
  assert.equal((await session.get('documentPage', { documentId: one, page: 3 })).text, 'words');
  assert.equal(await session.get('documentPage', { documentId: one, page: 4 }), null);
});

test('update writes the fields that are given, delete the row; of one that is gone it is said', async (t) => {
  const client = await clientOf(t);
  const peer = await peerOf(t);
  const key = await documentOf(client, { contentType: 'text/plain' });
  const session = client.session();
  session.update('document', { id: key, fileName: 'b.pdf' });
  await session.commit();
  const {
    rows: [row],
  } = await peer.query('SELECT file_name, content_type FROM documents WHERE id = $1', [key]);
  assert.deepEqual(row, { file_name: 'b.pdf', content_type: 'text/plain' });
  session.delete('document', key);
  await session.commit();
  assert.equal(await session.get('document', key), null);
  session.update('document', { id: key, fileName: 'c.pdf' });
  await assert.rejects(session.commit(), NotFoundError);
});

test('a failure says its class, SQLSTATE and what to do', async (t) => {
  const session = (await clientOf(t)).session();
  await assert.rejects(session.query`SELECT 1 / ${0}::int`, (error) => {
    assert.ok(error instanceof PermanentError && error instanceof Error);
    assert.deepEqual(
      [error.name, error.sqlstate, error.domain, error.retryable, error.operation],
      ['PermanentError', '22012', 'postgres', false, 'shared_session_query'],
    );
    return true;
  });
  await session.rollback();
  const key = session.add('case', { title: 'twice' }).id;
  await session.commit();
  session.add('case', { id: key, title: 'twice' });
  await assert.rejects(session.commit(), ConflictError);
  assert.equal((await session.get('case', key)).title, 'twice');
  assert.throws(
    () => session.add('case', { title: '' }),
    (error) => {
      assert.ok(error instanceof SchemaError);
      assert.deepEqual([error.failures[0].loc, error.failures[0].type], [['body', 'title'], 'string_too_short']);
      return true;
    },
  );
});

test('transaction commits, rolls back at an exception, and nests', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  const [kept, undone, inner] = [id('case'), id('case'), id('case')];
  assert.equal(
    await session.transaction(
      async (work) => {
        work.add('case', { id: kept, title: 'kept' });
        await assert.rejects(
          work.transaction(async () => {
            work.add('case', { id: inner, title: 'inner' });
            await work.query`SELECT 1/0`;
          }),
          PermanentError,
        );
        return 7;
      },
      { isolation: 'serializable' },
    ),
    7,
  );
  await assert.rejects(
    session.transaction(async (work) => {
      work.add('case', { id: undone, title: 'undone' });
      await work.flush();
      throw new RangeError('no');
    }),
    RangeError,
  );
  assert.deepEqual(
    (await session.getMany('case', [kept, undone, inner])).map((row) => row.id),
    [kept],
  );
});

test('a transaction that only reads refuses to write', async (t) => {
  const session = (await clientOf(t)).session();
  await assert.rejects(
    session.transaction((work) => work.query`DELETE FROM cases WHERE false`, { readOnly: true }),
    { sqlstate: '25006' },
  );
});

test('a row that another session has locked is waited for, refused or left out', async (t) => {
  const client = await clientOf(t);
  const key = await documentOf(client);
  const [one, two] = [client.session(), client.session()];
  const mine = sql`id = ${key}`;
  assert.equal((await one.select('document', mine, { lock: 'update' })).length, 1);
  await assert.rejects(two.select('document', mine, { lock: 'update', wait: 'nowait' }), { sqlstate: '55P03' });
  await two.rollback();
  assert.deepEqual(await two.select('document', mine, { lock: 'share', wait: 'skip locked' }), []);
  const waiting = two.select('document', mine, { lock: 'no key update' });
  await one.rollback();
  assert.equal((await waiting)[0].id, key);
});

test('a stream in a transaction sees what is not committed, and other calls run between its rows', async (t) => {
  const session = (await clientOf(t)).session();
  await session.transaction(async () => {
    const caseId = session.add('case', { title: 'streamed' }).id;
    session.addMany(
      'document',
      Array.from({ length: 30 }, (_, n) => ({ caseId, fileName: `${n}.pdf` })),
    );
    const seen = [];
    for await (const { id: key } of session.stream(sql`SELECT id FROM documents WHERE case_id = ${caseId}`, {
      rowsPerBatch: 7,
    })) {
      seen.push((await session.get('document', key)).id);
    }
    assert.equal(new Set(seen).size, 30);
  });
});

test('a stream reads on only when its reader has come so far', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  await session.query`CREATE TEMPORARY TABLE seen (n int)`;
  await session.query`CREATE FUNCTION pg_temp.see(n int) RETURNS int LANGUAGE sql
    AS 'INSERT INTO seen VALUES (n) RETURNING n'`;
  let read = 0;
  for await (const row of session.stream(sql`SELECT pg_temp.see(n) AS n FROM generate_series(1, ${10000}) n`, {
    rowsPerBatch: 100,
  })) {
    assert.equal(row.n, ++read);
    if (read === 250) break;
  }
  const [{ count }] = await session.query`SELECT count(*)::int AS count FROM seen`;
  assert.ok(count >= 250 && count <= 400, `the server was asked for ${count} rows`);
});

test('a stream of its own leaves the session free, and gives every row once', async (t) => {
  const session = (await clientOf(t)).session();
  let sum = 0;
  for await (const { n } of session.stream`SELECT n FROM generate_series(1, 2500) n`) sum += n;
  assert.equal(sum, (2500 * 2501) / 2);
  const signal = AbortSignal.abort(new Error('enough'));
  assert.throws(() => session.stream(sql`SELECT 1`, { signal }), { name: 'AbortError' });
  assert.throws(() => session.stream('SELECT 1'), InvalidError);
});

test('an answer of many rows is whole and in order', async (t) => {
  const session = (await clientOf(t)).session();
  const rows = await session.query`SELECT n, 'text ' || n AS words FROM generate_series(1, 50000) n`;
  assert.equal(rows.length, 50000);
  assert.ok(rows.every(({ n, words }, place) => n === place + 1 && words === `text ${n}`));
});
