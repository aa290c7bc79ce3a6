// SPDX-License-Identifier: MIT
// endurance.test.js - 5 x 20 000 awaited operations and 50 terminated workers: what is made is given back. Runs with
// --expose-gc. PROOF_OPERATIONS says how many a round has.
import { connect, sql } from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const OPERATIONS = Number(process.env.PROOF_OPERATIONS ?? 20000);
const ROUNDS = 5;
const IN_FLIGHT = 20;
const GROWTH_MAX_MB = 8; // of the last round to the one before last
const WORKERS = 50;
const WORKER_LEAK_MAX_KB = 256; // each; what V8 and malloc keep of a thread comes on top, so it is measured against idle ones

const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
const descriptors = () => readdirSync('/proc/self/fd').length;
const sockets = async (client) => {
  const session = client.session();
  const question = sql`SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = current_user`;
  const [{ n }] = await session.query(question, { readOnly: true });
  await session.close();
  return n;
};

async function collect() {
  for (let n = 0; n < 10; n++) {
    globalThis.gc();
    await setImmediate();
  }
}

async function operate(client, document, n) {
  const session = client.session();
  switch (n % 5) {
    case 0:
      assert.equal((await session.get('document', document)).id, document);
      break;
    case 1:
      assert.equal((await session.query(sql`SELECT ${n}::int8 AS n`, { readOnly: true }))[0].n, BigInt(n));
      break;
    case 2:
      await client.progress.publish(document, n % 100, 'extracting', `message ${n}`);
      break;
    case 3:
      await assert.rejects(session.query(sql`SELECT 1 / ${0}::int`, { readOnly: true }), { sqlstate: '22012' });
      break;
    default:
      session.update('document', { id: document, pageCount: n });
      await session.rollback();
  }
  if (n % 2) await session.close(); // the others are the collector's
}

test(`${ROUNDS} x ${OPERATIONS} operations: memory is flat, no handle is left`, async (t) => {
  const before = descriptors();
  let client = await connect();
  const session = client.session();
  const document = session.add('document', { fileName: 'proof.pdf' }).id;
  await session.commit();
  await session.close();
  const sizes = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (let n = 0; n < OPERATIONS; n += IN_FLIGHT) {
      await Promise.all(Array.from({ length: IN_FLIGHT }, (_, more) => operate(client, document, n + more)));
    }
    await collect();
    sizes.push(rss() / 1024);
  }
  t.diagnostic(`MB after each round: ${sizes.map((size) => size.toFixed(1)).join(', ')}`);
  assert.ok(sizes.at(-1) - sizes.at(-2) < GROWTH_MAX_MB, sizes.join(', '));
  const collected = new Promise((resolve) => {
    new FinalizationRegistry(resolve).register(client);
  });
  await client.close();
  client = undefined;
  await collect();
  await collected;
  assert.equal(descriptors(), before);
  assert.deepEqual(process.getActiveResourcesInfo().filter((name) => /poll|shared/i.test(name)), []);
});

const BUSY = `
  const { parentPort } = require('node:worker_threads');
  const { connect, sql } = require('@lex-intel/shared');
  (async () => {
    const client = await connect();
    (async () => { for await (const event of client.progress.watchAll()) void event; })().catch(() => {});
    client.queue.work('none', () => {}, { queue: 'proof' }).catch(() => {});
    for (let n = 0; ; n++) {
      const session = client.session();
      const rows = session.query(sql\`SELECT n, 'words' AS words FROM generate_series(1, 2000) n\`, { readOnly: true });
      const slow = session.query(sql\`SELECT pg_sleep(0.01)\`, { readOnly: true });
      await Promise.all([rows, slow]);
      if (n === 0) parentPort.postMessage('busy');
    }
  })();`;
const IDLE = `
  require('@lex-intel/shared');
  require('node:worker_threads').parentPort.postMessage('idle');
  setInterval(() => {}, 1000);`;

/** Kilobytes that so many workers leave behind, terminated at a moment of chance after their first word. */
async function left(source, count) {
  await collect();
  const before = rss();
  for (let n = 0; n < count; n += 5) {
    const workers = Array.from({ length: 5 }, () => new Worker(source, { eval: true }));
    await Promise.all(
      workers.map(async (worker) => {
        await new Promise((resolve, reject) => {
          worker.once('message', resolve).once('error', reject);
        });
        for (let turns = Math.random() * 30; turns > 0; turns--) await setImmediate();
        assert.equal(await worker.terminate(), 1);
      }),
    );
  }
  await collect();
  return rss() - before;
}

test(`${WORKERS} workers terminated in the middle of it: no abort, nothing much left`, async (t) => {
  const client = await connect();
  t.after(() => client.close());
  await left(BUSY, 10); // what is made once
  await left(IDLE, 10);
  const before = [descriptors(), await sockets(client)];
  const [busy, idle] = [await left(BUSY, WORKERS), await left(IDLE, WORKERS)];
  t.diagnostic(`KB left by ${WORKERS} workers: busy ${busy}, idle ${idle}`);
  assert.ok(busy - idle < WORKERS * WORKER_LEAK_MAX_KB, `${busy} KB, idle ones ${idle} KB`);
  assert.equal(descriptors(), before[0]);
  for (let n = 0; n < 1000 && (await sockets(client)) > before[1]; n++) await setImmediate(); // the server hears of it
  assert.ok((await sockets(client)) <= before[1]);
});
