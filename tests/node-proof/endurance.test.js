// SPDX-License-Identifier: MIT
// endurance.test.js - 5 x 20 000 awaited operations: what is made is given back. PROOF_OPERATIONS says how many a round
// has.
import { connect, sql } from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, descriptors, rss } from './process.js';

const OPERATIONS = Number(process.env.PROOF_OPERATIONS ?? 20000);
const ROUNDS = 5;
const IN_FLIGHT = 20;
const GROWTH_MAX_MB = 8; // of the last round to the one before last

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
      await client.progress.publish(`proof-${n}`, n % 100, 'extracting', `message ${n}`); // of one 20 a second go out
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

/** All rounds with a client of their own, which is closed behind them: megabytes after each, and who it was. */
async function operateAll() {
  const client = await connect();
  const session = client.session();
  const document = session.add('document', { fileName: 'proof.pdf' }).id;
  await session.commit();
  await session.close();
  const sizes = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (let n = 0; n < OPERATIONS; n += IN_FLIGHT) {
      const numbers = Array.from({ length: IN_FLIGHT }, (_, more) => round * OPERATIONS + n + more);
      await Promise.all(numbers.map((number) => operate(client, document, number)));
    }
    await collect();
    sizes.push(rss() / 1024);
  }
  await client.close();
  return [sizes, new WeakRef(client)];
}

test(`${ROUNDS} x ${OPERATIONS} operations: memory is flat, no handle is left`, async (t) => {
  const before = descriptors();
  const [sizes, client] = await operateAll();
  t.diagnostic(`MB after each round: ${sizes.map((size) => size.toFixed(1)).join(', ')}`);
  assert.ok(sizes.at(-1) - sizes.at(-2) < GROWTH_MAX_MB, sizes.join(', '));
  for (let n = 0; n < 20 && client.deref(); n++) await collect();
  assert.equal(client.deref(), undefined);
  assert.equal(descriptors(), before);
});
