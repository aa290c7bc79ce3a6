// SPDX-License-Identifier: MIT
// progress.test.js - what is published is heard: once, in order, from where a listener left off.
import { NotFoundError } from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { clientOf, documentOf, id, run } from './helper.js';

/** As a worker does: the row is the truth, and says first that it is done. */
async function tell(client, document) {
  await client.progress.publish(document, 0, 'starting', 'begins');
  await client.progress.publish(document, 45, 'extracting', 'page 5 of 10');
  const session = client.session();
  session.update('document', { id: document, extractionStatus: 'completed' });
  await session.commit();
  await client.progress.publish(document, 100, 'completed', 'done');
}

async function hear(events, heard = []) {
  for await (const event of events) heard.push(event);
  return heard;
}

test('a watch ends behind the final message, and goes on from lastEventId', async (t) => {
  const client = await clientOf(t);
  const document = await documentOf(client);
  const events = client.progress.watch(document);
  const first = (await events.next()).value;
  const all = hear(events, [first]);
  await tell(client, document);
  const heard = await all;
  assert.deepEqual(
    heard.slice(-3).map(({ progress, step }) => [progress, step]),
    [
      [0, 'starting'],
      [45, 'extracting'],
      [100, 'completed'],
    ],
  );
  assert.equal(heard.at(-1).final, true);
  const rest = await hear(client.progress.watch(document, { lastEventId: heard.at(-2).id }));
  assert.deepEqual(
    rest.map(({ step }) => step),
    ['completed'],
  );
});

test('a document that is not there is a NotFoundError', async (t) => {
  const client = await clientOf(t);
  await assert.rejects(hear(client.progress.watch(id('nobody'))), NotFoundError);
});

test('several documents by one request: each message says of which', async (t) => {
  const client = await clientOf(t);
  const documents = [await documentOf(client), await documentOf(client)];
  const all = hear(client.progress.watch(documents));
  await Promise.all(documents.map((document) => tell(client, document)));
  const heard = await all;
  for (const document of documents) {
    assert.equal(heard.filter(({ documentId }) => documentId === document).at(-1).step, 'completed');
  }
});

test('a watch that is left, or aborted, ends', async (t) => {
  const client = await clientOf(t);
  const document = await documentOf(client);
  for await (const event of client.progress.watch(document)) {
    assert.equal(typeof event.progress, 'number');
    break;
  }
  const controller = new AbortController();
  const reason = new Error('the page was closed');
  await assert.rejects(
    async () => {
      for await (const event of client.progress.watch(document, { signal: controller.signal })) {
        assert.equal(typeof event.progress, 'number');
        controller.abort(reason);
      }
    },
    { name: 'AbortError', cause: reason },
  );
});

test('a watch that is left while it waits ends, and so does what is made of it', { timeout: 20000 }, async (t) => {
  const client = await clientOf(t);
  const document = await documentOf(client);
  for (const read of [
    client.progress.watch(document),
    client.progress.watchAll(),
    client.progress.sse(document),
    client.progress.sse([document]),
  ]) {
    const heard = read.next(); // of a document its state, of all nothing yet
    const waiting = read.next();
    assert.deepEqual(await read.return('left'), { value: 'left', done: true });
    await heard;
    assert.deepEqual(await waiting, { value: undefined, done: true });
    assert.deepEqual(await read.next(), { value: undefined, done: true });
  }
  for (const read of [client.progress.watchAll(), client.progress.sse(document)]) {
    const readable = Readable.from(read);
    const closed = once(readable, 'close');
    readable.resume();
    await client.ping(); // it reads by now
    readable.destroy();
    await closed;
  }
});

test('calls of next() that overlap get the messages in their order', async (t) => {
  const client = await clientOf(t);
  const document = await documentOf(client);
  const events = client.progress.watch(document);
  const first = await events.next();
  const rest = [events.next(), events.next(), events.next(), events.next()];
  await tell(client, document);
  assert.equal(first.done, false);
  assert.deepEqual(
    (await Promise.all(rest)).map(({ value }) => value?.step),
    ['starting', 'extracting', 'completed', undefined],
  );
});

test('server-sent events that say nothing for long are pinged, and can be left then', { timeout: 20000 }, async (t) => {
  const { setTimeout: start } = globalThis;
  t.mock.method(globalThis, 'setTimeout', (work, delay) => start(work, delay === 15000 ? 0 : delay));
  const client = await clientOf(t);
  const document = await documentOf(client);
  const heard = [];
  for await (const text of client.progress.sse(document)) {
    heard.push(text);
    if (text.startsWith(':') && heard.some((one) => one.startsWith('id: ') || one.startsWith('data: '))) break;
  }
  assert.equal(heard.at(-1), ': ping\n\n');
});

test('a watch that nobody reads holds up nothing', async () => {
  const { code, out } = await run(`
    import { connect } from '@lex-intel/shared';
    const client = await connect();
    await client.ping();
    client.progress.watch('doc-1');
    await client.progress.watchAll().return();
    console.log('ended');`);
  assert.deepEqual([code, out], [0, 'ended\n']);
});

test('as server-sent events', async (t) => {
  const client = await clientOf(t);
  const document = await documentOf(client);
  const all = hear(client.progress.sse(document));
  await tell(client, document);
  const last = (await all).at(-1);
  assert.match(last, /^id: \d+-\d+\ndata: \{"progress":100,"step":"completed",.*\}\n\n$/);
});
