// SPDX-License-Identifier: MIT
// transaction.test.js - what is stored after transaction(), commit() and close(), and what is said when it is not.
import { ConflictError, InvalidError, sql } from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientOf, documentOf, id } from './helper.js';

const FOREVER_S = 30;
const SOON_MS = 10_000; // far below that

/** Which of these cases another session sees. */
async function stored(client, keys) {
  return (await client.session().getMany('case', keys)).map((row) => row.id);
}

/** A session, and work that stores a case and then does something. */
async function setting(t) {
  const client = await clientOf(t);
  const session = client.session();
  const storing = (key, then = () => {}) => {
    return async () => {
      session.add('case', { id: key, title: key });
      await session.flush();
      await then();
    };
  };
  return { client, session, storing };
}

const refuse = () => {
  throw new RangeError('no');
};

test('a transaction commits what was open before it as well, and takes no options then', async (t) => {
  const { client, session, storing } = await setting(t);
  const [asked, waiting, undone, pending] = [id('case'), id('case'), id('case'), id('case')];
  await session.query`SELECT 1`;
  await session.transaction(storing(asked));
  session.add('case', { id: pending, title: 'waits' });
  await session.transaction(storing(waiting));
  assert.deepEqual(await stored(client, [asked, pending, waiting]), [asked, pending, waiting]);
  await session.query`SELECT 1`;
  await assert.rejects(session.transaction(storing(undone, refuse)), RangeError);
  await session.query`SELECT 1`;
  for (const options of [{ isolation: 'serializable' }, { readOnly: true }, { deferrable: true }]) {
    await assert.rejects(session.transaction(storing(undone), options), InvalidError);
  }
  await session.transaction(async () => {
    await assert.rejects(session.transaction(storing(undone), { readOnly: true }), InvalidError);
  });
  await session.close();
  assert.deepEqual(await stored(client, [undone]), []);
});

test('transactions that overlap run one by one, and each is all or nothing', async (t) => {
  const { client, session, storing } = await setting(t);
  const results = async (...works) => {
    const keys = works.map(() => id('case'));
    const turns = works.map((work, place) => session.transaction(storing(keys[place], work)));
    const ends = (await Promise.allSettled(turns)).map(({ status }) => status === 'fulfilled');
    const seen = await stored(client, keys);
    assert.deepEqual(keys.map((key) => seen.includes(key)), ends);
    return ends;
  };
  const wait = () => new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await results(wait, wait, wait), [true, true, true]);
  assert.deepEqual(await results(wait, refuse), [true, false]);
  assert.deepEqual(await results(refuse, wait, () => session.query`SELECT 1/0`, wait), [false, true, false, true]);
});

test('parts that overlap within a transaction do so too, also when nobody waits for them', async (t) => {
  const { client, session, storing } = await setting(t);
  const [first, second, third, late] = [id('case'), id('case'), id('case'), id('case')];
  const other = client.session();
  await session.transaction(async () => {
    const parts = [storing(first), storing(second, refuse)].map((work) => session.transaction(work));
    assert.deepEqual((await Promise.allSettled(parts)).map(({ status }) => status), ['fulfilled', 'rejected']);
    // Through another session's transaction it is still within this one, or both would wait for ever.
    await other.transaction(() => session.transaction(storing(third)));
    session.transaction(storing(late));
  });
  assert.deepEqual(await stored(client, [first, second, third, late]), [first, third, late]);
});

test('a query that was never sent opens nothing', async (t) => {
  const { client, session, storing } = await setting(t);
  const key = id('case');
  const signal = AbortSignal.abort();
  await assert.rejects(session.query(sql`SELECT 1`, { signal }), { name: 'AbortError' });
  await assert.rejects(session.select('case', undefined, { lock: 'share', signal }), { name: 'AbortError' });
  session.addMany('case', []);
  await session.transaction(storing(key), { isolation: 'serializable' });
  assert.deepEqual(await stored(client, [key]), [key]);
});

test('the signal of a transaction cancels what is under way in it, and refuses the rest', async (t) => {
  const { client, session, storing } = await setting(t);
  const [inside, undone, kept] = [id('case'), id('case'), id('case')];
  const begun = performance.now();
  const sleep = () => session.query`SELECT pg_sleep(${FOREVER_S})`;
  await assert.rejects(session.transaction(storing(undone, sleep), { signal: AbortSignal.timeout(50) }), {
    name: 'AbortError',
  });
  const stop = new AbortController();
  const refused = async () => {
    stop.abort(new Error('enough'));
    await assert.rejects(sleep(), { name: 'AbortError' });
  };
  await assert.rejects(session.transaction(storing(undone, refused), { signal: stop.signal }), (error) => {
    return error.name === 'AbortError' && error.cause.message === 'enough';
  });
  await session.transaction(async () => {
    session.add('case', { id: kept, title: 'kept' });
    const signal = AbortSignal.timeout(50);
    await assert.rejects(session.transaction(storing(inside, sleep), { signal }), { name: 'AbortError' });
  });
  assert.ok(performance.now() - begun < SOON_MS);
  assert.deepEqual(await stored(client, [inside, undone, kept]), [kept]);
});

test('a transaction that waits for its turn can be aborted, and the next one still waits', async (t) => {
  const { client, session, storing } = await setting(t);
  const [first, second, third] = [id('case'), id('case'), id('case')];
  const stop = new AbortController();
  const waiting = session.transaction(storing(second), { signal: stop.signal }).catch((error) => error.name);
  assert.equal(await waiting, undefined); // nothing was before it
  const turns = [];
  let goOn;
  const held = new Promise((resolve) => {
    goOn = resolve;
  });
  turns.push(session.transaction(storing(first, () => held)));
  const aborted = assert.rejects(session.transaction(refuse, { signal: stop.signal }), { name: 'AbortError' });
  let hasBegun = false;
  turns.push(
    session.transaction(async () => {
      hasBegun = true;
      await storing(third)();
    }),
  );
  stop.abort();
  await aborted;
  await session.get('case', first);
  assert.equal(hasBegun, false);
  goOn();
  await Promise.all(turns);
  assert.deepEqual(await stored(client, [first, second, third]), [first, second, third]);
});

// --- commit ----------------------------------------------------------------------------------------------------------

test('a commit that failed is not a success when it is asked for again', async (t) => {
  const { client, session } = await setting(t);
  const [taken, lost, again] = [id('case'), id('case'), id('case')];
  session.add('case', { id: taken, title: 'taken' });
  await session.commit();
  const failing = async () => {
    session.add('case', { id: lost, title: 'lost' });
    session.add('case', { id: taken, title: 'twice' });
    await assert.rejects(session.commit(), ConflictError);
  };
  await failing();
  for (let tries = 0; tries < 2; tries++) {
    await assert.rejects(session.commit(), (error) => {
      return error instanceof InvalidError && error.cause instanceof ConflictError;
    });
  }
  session.add('case', { id: again, title: 'again' });
  assert.equal(await session.commit(), 1);
  assert.equal(await session.commit(), 0);
  await failing();
  await session.rollback();
  assert.equal(await session.commit(), 0);
  assert.deepEqual(await stored(client, [taken, lost, again]), [taken, again]);
});

test('what is asked for behind a commit that fails is not lost with it', async (t) => {
  const { client, session } = await setting(t);
  const [taken, behind] = [await documentOf(client), id('case')];
  session.add('document', { id: taken, fileName: 'twice.pdf' });
  const failed = assert.rejects(session.commit(), ConflictError);
  session.add('case', { id: behind, title: 'behind' });
  await failed;
  assert.equal(await session.commit(), 1);
  assert.deepEqual(await stored(client, [behind]), [behind]);
});

test('a commit or rollback that was never sent leaves what waits', async (t) => {
  const { client, session } = await setting(t);
  const key = id('case');
  const signal = AbortSignal.abort();
  await assert.rejects(session.commit({ signal }), { name: 'AbortError' });
  assert.equal(await session.commit(), 0);
  const made = session.add('case', { id: key, title: 'waits' });
  await assert.rejects(session.commit({ signal }), { name: 'AbortError' });
  await assert.rejects(session.commit({ sigmal: signal }), InvalidError);
  await assert.rejects(session.rollback({ signal }), { name: 'AbortError' });
  assert.equal(await session.commit(), 1);
  assert.ok(made.createdAt instanceof Date);
  assert.deepEqual(await stored(client, [key]), [key]);
});

// --- close -----------------------------------------------------------------------------------------------------------

test('what a session had locked is free when its close returns', async (t) => {
  const { client, session: other } = await setting(t);
  const key = await documentOf(client);
  const lock = (session) => session.select('document', sql`id = ${key}`, { lock: 'update', wait: 'nowait' });
  const left = [
    () => {},
    (session) => void session.query`SELECT pg_sleep(${FOREVER_S})`.catch(() => {}),
    (session) => session.query`SELECT 1/0`.catch(() => {}),
    (session) => session.transaction(() => session.query`SELECT 1/0`).catch(() => {}),
  ];
  for (let round = 0; round < 80; round++) {
    const session = client.session();
    await lock(session);
    await left[round % left.length](session);
    await Promise.all([session.close(), session.close()]);
    assert.equal((await lock(other)).length, 1);
    await other.rollback();
  }
});

test('a commit that is under way when its session is closed happens', async (t) => {
  const { client, session } = await setting(t);
  const [alone, first, second] = [id('case'), id('case'), id('case')];
  const other = client.session();
  other.add('case', { id: alone, title: 'alone' });
  const ends = [other.commit(), other.close()];
  assert.deepEqual(await Promise.all(ends), [1, undefined]);
  session.add('case', { id: first, title: 'first' });
  const committed = session.commit();
  session.add('case', { id: second, title: 'second' });
  await session.close();
  assert.equal(await committed, 1);
  assert.deepEqual(await stored(client, [alone, first, second]), [alone, first]);
});
