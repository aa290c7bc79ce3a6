// SPDX-License-Identifier: MIT
// bench.js - the Node binding beside pg, postgres.js and ioredis, in one process, each in turn with ours; bench_node.py
// starts it and prints what it writes: a line of JSON [what, ours, peer's], in seconds, for each row.
import { Client, connect, sql } from '@lex-intel/shared';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import pg from 'pg';
import postgres from 'postgres';

const GETS = 2000;
const IN_FLIGHT = 100;
const ROWS = 1000;
const BULK = 5000;
const MESSAGES = 3000;
const PAGES = 50000;
const BUSY = 4; // documents of a worker at a time
const WATCHERS = 1000;
const ROUNDS = 5;
const ROUNDS_SHORT = 100; // where a run takes milliseconds
const KEY = 'doc-bench';
const WORDS = 'The party of the first part, hereinafter the tenant, shall give notice in writing. '.repeat(6);

const say = (what, ours, peer) => console.log(JSON.stringify([what, ours, peer]));

async function seconds(run) {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

/** The best of some rounds of each; a round has all of them, since the machine is not always the same. */
async function inTurn(runs, rounds = ROUNDS, before = async () => {}) {
  const best = runs.map(() => Infinity);
  for (let round = 0; round <= rounds; round++) {
    for (const [place, run] of runs.entries()) {
      await before();
      const took = await seconds(run);
      if (round > 0) best[place] = Math.min(best[place], took);
    }
  }
  return best;
}

const client = await connect();
const session = client.session();
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const other = postgres(process.env.DATABASE_URL, { onnotice: () => {} });
const byKey = 'SELECT * FROM documents WHERE id = $1';

async function sequential(get) {
  for (let n = 0; n < GETS; n++) if ((await get()).id !== KEY) throw new Error('another row');
}

async function inFlight(get) {
  for (let n = 0; n < GETS; n += IN_FLIGHT) await Promise.all(Array.from({ length: IN_FLIGHT }, get));
}

const gets = [
  () => session.get('document', KEY),
  async () => (await pool.query(byKey, [KEY])).rows[0],
  async () => (await other`SELECT * FROM documents WHERE id = ${KEY}`)[0],
];
for (const [name, how] of [
  ['sequential', sequential],
  [`${IN_FLIGHT} in flight`, inFlight],
]) {
  const [ours, ...peers] = await inTurn(gets.map((get) => () => how(get)));
  say(`get by key, ${name}: pg`, ours / GETS, peers[0] / GETS);
  say(`get by key, ${name}: postgres.js`, ours / GETS, peers[1] / GETS);
}

// --- bulk insert -----------------------------------------------------------------------------------------------------

const empty = () => pool.query('DELETE FROM document_chunks WHERE document_id = $1', [KEY]);
const chunk = (n) => ({
  documentId: KEY,
  chunkIndex: n,
  content: `${n} ${WORDS}`,
  pageFrom: 1,
  pageTo: 2,
  charStart: n,
  charEnd: n + 9,
});
const VALUES_MAX = 1000; // rows of a statement: 65535 values are the limit

async function bulkOurs() {
  session.addMany(
    'documentChunk',
    Array.from({ length: BULK }, (_, n) => chunk(n)),
  );
  await session.commit();
}

async function bulkPg() {
  const peer = await pool.connect();
  await peer.query('BEGIN');
  for (let first = 0; first < BULK; first += VALUES_MAX) {
    const values = [];
    const rows = [];
    for (let n = first; n < first + VALUES_MAX; n++) {
      const { documentId, chunkIndex, content, pageFrom, pageTo, charStart, charEnd } = chunk(n);
      const at = values.length;
      rows.push(`($${at + 1},$${at + 2},$${at + 3},$${at + 4},$${at + 5},$${at + 6},$${at + 7},$${at + 8})`);
      values.push(randomUUID(), documentId, chunkIndex, content, pageFrom, pageTo, charStart, charEnd);
    }
    await peer.query(
      `INSERT INTO document_chunks (id, document_id, chunk_index, content, page_from, page_to, char_start,
      char_end) VALUES ${rows.join(',')}`,
      values,
    );
  }
  await peer.query('COMMIT');
  peer.release();
}

async function eachPg() {
  const peer = await pool.connect();
  await peer.query('BEGIN');
  for (let n = 0; n < BULK; n++) {
    const { documentId, chunkIndex, content, pageFrom, pageTo, charStart, charEnd } = chunk(n);
    await peer.query(
      `INSERT INTO document_chunks (id, document_id, chunk_index, content, page_from, page_to, char_start,
      char_end) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [randomUUID(), documentId, chunkIndex, content, pageFrom, pageTo, charStart, charEnd],
    );
  }
  await peer.query('COMMIT');
  peer.release();
}

/** What the server needs for such rows when none has to come to it: nobody is faster. */
const nobody = () =>
  pool.query(
    `INSERT INTO document_chunks (id, document_id, chunk_index, content, page_from, page_to, char_start, char_end)
     SELECT gen_random_uuid(), $1, n, n || ' ' || $2::text, 1, 2, n, n + 9 FROM generate_series(0, $3) AS n`,
    [KEY, WORDS, BULK - 1],
  );

const bulk = await inTurn([bulkOurs, bulkPg, eachPg, nobody], 3, empty);
say(`bulk insert of ${BULK} chunks: pg, INSERT ... VALUES of many`, bulk[0], bulk[1]);
say(`bulk insert of ${BULK} chunks: pg, an INSERT a row`, bulk[0], bulk[2]);
say(`bulk insert of ${BULK} chunks: the server alone`, bulk[0], bulk[3]);

// --- rows to objects -------------------------------------------------------------------------------------------------

await empty();
session.addMany(
  'documentChunk',
  Array.from({ length: ROWS }, (_, n) => chunk(n)),
);
await session.commit();
let [ours, peer, third] = await inTurn(
  [
    async () => (await session.select('documentChunk', sql`document_id = ${KEY}`)).length,
    async () => (await pool.query('SELECT * FROM document_chunks WHERE document_id = $1', [KEY])).rows.length,
    async () => (await other`SELECT * FROM document_chunks WHERE document_id = ${KEY}`).length,
  ],
  ROUNDS_SHORT,
);
say(`${ROWS} chunks to objects: pg`, ours, peer);
say(`${ROWS} chunks to objects: postgres.js`, ours, third);
await empty();

// --- progress --------------------------------------------------------------------------------------------------------

const redis = new Redis(process.env.REDIS_URL);
const message = 'Extracted text from page 5 of 10';
let documents = 0; // a new one for each message: of one document ours sends 20 a second at most
const all = (publish) => () => Promise.all(Array.from({ length: MESSAGES }, () => publish(`doc-${++documents}`)));
const textOf = (id) => JSON.stringify({ progress: 45, step: 'extracting', message: `${message} ${id}` });
const publishOurs = all((id) => client.progress.publish(id, 45, 'extracting', `${message} ${id}`));
const publishPeer = all((id) => redis.publish(`progress:${id}`, textOf(id)));
[ours, peer, third] = await inTurn([
  publishOurs,
  publishPeer,
  // What ours does: a log that a listener can resume from, and the message.
  all((id) => {
    const text = textOf(id);
    const both = redis.multi().xadd(`progress-log:${id}`, 'MAXLEN', '~', 1000, '*', 'd', text);
    return both.expire(`progress-log:${id}`, 86400).publish(`progress:${id}`, text).exec();
  }),
]);
say('publish: ioredis, the same commands', ours / MESSAGES, third / MESSAGES);
say('publish: ioredis, PUBLISH alone', ours / MESSAGES, peer / MESSAGES);

/** Seconds of CPU, of all threads of this process. */
async function cpu(run) {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
const cpus = [Infinity, Infinity];
for (let round = 0; round < ROUNDS; round++) {
  cpus[0] = Math.min(cpus[0], await cpu(publishOurs));
  cpus[1] = Math.min(cpus[1], await cpu(publishPeer));
}
say('publish, CPU of Node: ioredis, PUBLISH alone', cpus[0] / MESSAGES, cpus[1] / MESSAGES);

// As a worker tells it: page after page of a few documents, of which ours sends 20 a second each.
const pages = (publish) => async () => {
  const told = [];
  for (let n = 0; n < PAGES; n++) {
    told.push(publish(`doc-worker-${n % BUSY}`));
    if (n % IN_FLIGHT === 0) await setImmediate();
  }
  await Promise.all(told);
};
[ours, peer] = await inTurn([
  pages((id) => client.progress.publish(id, 45, 'extracting', `${message} ${id}`)),
  pages((id) => redis.publish(`progress:${id}`, textOf(id))),
]);
say('publish, page after page: ioredis, PUBLISH alone', ours / PAGES, peer / PAGES);

const connections = async () => (await redis.client('LIST')).trim().split('\n').length;
await client.ping();
const before = await connections();
let started;
let heard = 0;
const listening = new Promise((resolve) => {
  started = resolve;
});
async function watch() {
  let last;
  for await (last of client.progress.watch(KEY)) if (++heard === WATCHERS) started();
  return last.step;
}
await client.progress.publish(KEY, 1, 'starting');
const watchers = Array.from({ length: WATCHERS }, watch);
await listening;
const more = (await connections()) - before;
session.update('document', { id: KEY, extractionStatus: 'completed' });
await session.commit();
await client.progress.publish(KEY, 100, 'completed');
if ((await Promise.all(watchers)).some((step) => step !== 'completed')) throw new Error('a watcher missed the end');
say(`Redis connections of ${WATCHERS} watchers`, more, WATCHERS);

// --- large answers ---------------------------------------------------------------------------------------------------

const delay = monitorEventLoopDelay({ resolution: 1 });
const large = "SELECT n, 'some words of row ' || n AS words, now() AS at FROM generate_series(1, 100000) n";
const gaps = { ours: Infinity, peer: Infinity };
for (let round = 0; round <= ROUNDS; round++) {
  for (const [who, ask] of [
    ['ours', () => session.query(sql.raw(large))],
    ['peer', () => pool.query(large)],
  ]) {
    delay.reset();
    delay.enable();
    await ask();
    delay.disable();
    if (round > 0) gaps[who] = Math.min(gaps[who], delay.max / 1e9);
  }
}
say('the loop is held up by 100 000 rows: pg', gaps.ours, gaps.peer);

// Of what holds it up the machine's other programs are no part, when CPU is counted instead.
const dispatch = Client.prototype.dispatch;
let longest = 0;
Client.prototype.dispatch = function counted() {
  const usage = process.cpuUsage();
  dispatch.call(this);
  const { user, system } = process.cpuUsage(usage);
  longest = Math.max(longest, (user + system) / 1e6);
};
let least = Infinity;
for (let round = 0; round <= ROUNDS; round++) {
  longest = 0;
  await session.query(sql.raw(large));
  await setImmediate(); // the answer is freed
  if (round > 0) least = Math.min(least, longest);
}
say('longest call for 100 000 rows, CPU', least, 0.01);
await session.close();
await client.close();
await Promise.all([pool.end(), other.end(), redis.quit()]);
