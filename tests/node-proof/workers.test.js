// SPDX-License-Identifier: MIT
// workers.test.js - 50 worker threads terminated in the middle of their work: no abort, and little that is left.
import { connect, sql } from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { collect, descriptors, rss } from './process.js';

const WORKERS = 50;
const AT_A_TIME = 5;
const LEAK_MAX_KB = 256; // a worker, above what V8 and malloc keep of one that did nothing

/** Connections that the server has of us. */
async function connections(client) {
  const session = client.session();
  const question = sql`SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = current_user`;
  const [{ n }] = await session.query(question, { readOnly: true });
  await session.close();
  return n;
}

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
  for (let n = 0; n < count; n += AT_A_TIME) {
    const workers = Array.from({ length: AT_A_TIME }, () => new Worker(source, { eval: true }));
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
  const open = await connections(client);
  const before = descriptors();
  const [busy, idle] = [await left(BUSY, WORKERS), await left(IDLE, WORKERS)];
  t.diagnostic(`KB left by ${WORKERS} workers: busy ${busy}, idle ${idle}`);
  assert.ok(busy - idle < WORKERS * LEAK_MAX_KB, `${busy} KB, idle ones ${idle} KB`);
  assert.equal(descriptors(), before);
  for (let n = 0; n < 1000 && (await connections(client)) > open; n++) await setImmediate(); // the server hears of it
  assert.ok((await connections(client)) <= open);
});
