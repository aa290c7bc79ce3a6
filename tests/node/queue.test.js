// SPDX-License-Identifier: MIT
// queue.test.js - tasks on a real Redis: sent, done, failed, tried again, handed back. What other
// workers and Celery's clients make of them is shown in services.test.js.
import { PermanentError, RequestTimeoutError, RetryableError, TaskFailedError, connect } from '@lex-intel/shared';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { clientOf, id, run } from './helper.js';

/** Works on a queue of the test's own, until the test is over. */
async function workOf(t, handlers, settings = {}) {
  const queue = id('queue');
  const worker = await clientOf(t);
  const controller = new AbortController();
  const over = worker.queue.work(handlers, { queue, signal: controller.signal, ...settings });
  return { queue, worker, stop: () => controller.abort(), over };
}

test('what a handler returns is the result', async (t) => {
  const client = await clientOf(t);
  const { queue, stop, over } = await workOf(t, {
    add: async ({ args: [a, b], kwargs: { c = 0 } }) => ({ sum: a + b + c }),
    nothing: () => {},
  });
  const task = await client.queue.send('add', [1, 2], { queue, kwargs: { c: 3 } });
  assert.deepEqual(await client.queue.result(task, { timeoutMs: 20000 }), { sum: 6 });
  assert.equal(await client.queue.result(await client.queue.send('nothing', [], { queue })), null);
  stop();
  await over;
  assert.deepEqual(await client.queue.stats({ queue }), { waiting: 0, claimed: 0, dead: 0, outbox: 0 });
});

test('a handler knows its task', async (t) => {
  const client = await clientOf(t);
  const known = [];
  const { queue, stop, over } = await workOf(t, { look: (task) => known.push(task) });
  const own = id('task');
  assert.equal(await client.queue.send('look', ['a'], { queue, id: own, key: 'doc-1', priority: 3 }), own);
  await client.queue.result(own, { timeoutMs: 20000 });
  const [{ signal, ...task }] = known;
  assert.deepEqual(task, {
    id: own,
    name: 'look',
    args: ['a'],
    kwargs: {},
    attempt: 0,
    isLast: false,
    isRedelivered: false,
    queue,
  });
  assert.equal(signal.aborted, false);
  stop();
  await over;
});

test('an exception is a failure: for good, or to be tried again', async (t) => {
  const client = await clientOf(t);
  const { queue, stop, over } = await workOf(t, {
    permanent: () => {
      throw new PermanentError('no such document');
    },
    other: async () => {
      throw new RangeError('out of range');
    },
    big: () => ({ n: 1n }),
    retry: () => {
      throw new RetryableError('later');
    },
    reset: () => {
      throw Object.assign(new Error('reset'), { code: 'ECONNRESET', errno: -104 });
    },
  });
  const failure = async (name) =>
    client.queue.result(await client.queue.send(name, [], { queue }), { timeoutMs: 20000 });
  for (const [name, words] of [
    ['permanent', /^no such document$/],
    ['other', /RangeError: out of range/],
    ['big', /JSON/],
  ]) {
    await assert.rejects(failure(name), (error) => {
      assert.ok(error instanceof TaskFailedError);
      assert.match(error.message, words);
      assert.equal(error.kind, 'PermanentError');
      return true;
    });
  }
  for (const name of ['retry', 'reset']) {
    const task = await client.queue.send(name, [], { queue });
    // It comes again in a minute; until then it is claimed or waits, and has no result.
    await assert.rejects(client.queue.result(task, { timeoutMs: 200 }), RequestTimeoutError);
  }
  stop();
  await over;
});

test('whatever a handler throws or returns, its task is answered', async (t) => {
  const client = await clientOf(t);
  const thrown = (error) => () => {
    throw error;
  };
  const nested = JSON.parse('['.repeat(3000) + ']'.repeat(3000));
  const tasks = {
    nul: [() => JSON.parse('\0bad'), /SyntaxError.*\uFFFD/],
    half: [thrown(new Error('a\uD800b')), /Error: a\uFFFDb/],
    cut: [thrown(new PermanentError(`${'x'.repeat(1999)}\u{1F600}`)), /^x{1999}\uFFFD$/],
    nothing: [thrown(undefined), /undefined/],
    bare: [thrown(Object.create(null)), /cannot be shown/],
    hostile: [
      thrown({
        get code() {
          throw new Error('no');
        },
      }),
      /object Object/,
    ],
    halfAnswer: [() => 'a\uD800b', /what the handler returned: no JSON/],
    nested: [() => nested, /what the handler returned: no JSON/],
  };
  const handlers = Object.fromEntries(Object.entries(tasks).map(([name, [handler]]) => [name, handler]));
  const { queue, stop, over } = await workOf(t, handlers, { concurrency: 1 }); // one slot: nobody may keep it
  for (const [name, [, words]] of Object.entries(tasks)) {
    const task = await client.queue.send(name, [], { queue });
    await assert.rejects(client.queue.result(task, { timeoutMs: 20000 }), (error) => {
      assert.ok(error instanceof TaskFailedError, `${name}: ${error}`);
      assert.match(error.message, words);
      return true;
    });
  }
  stop();
  await over;
  assert.equal((await client.queue.stats({ queue })).claimed, 0);
});

test('several work() on one queue share it: each task goes to the one that has its handler', async (t) => {
  const client = await clientOf(t);
  const worker = await clientOf(t);
  const queue = id('queue');
  const controller = new AbortController();
  const running = { add: 0, mul: 0 };
  const most = { add: 0, mul: 0 };
  const work = (name, concurrency, compute) =>
    worker.queue.work(
      name,
      async ({ args: [a, b] }) => {
        most[name] = Math.max(most[name], ++running[name]);
        await worker.ping();
        running[name]--;
        return compute(a, b);
      },
      { queue, concurrency, signal: controller.signal },
    );
  const over = [work('add', 1, (a, b) => a + b), work('mul', 3, (a, b) => a * b)];
  const names = Array.from({ length: 40 }, (_, n) => (n % 2 ? 'add' : 'mul'));
  const tasks = await Promise.all(names.map((name) => client.queue.send(name, [3, 4], { queue })));
  const answers = await Promise.all(tasks.map((task) => client.queue.result(task, { timeoutMs: 20000 })));
  assert.deepEqual(
    answers,
    names.map((name) => (name === 'add' ? 7 : 12)),
  );
  assert.equal(most.add, 1);
  assert.ok(most.mul <= 3, `${most.mul}`);
  controller.abort();
  await Promise.all(over);
  assert.deepEqual(await client.queue.stats({ queue }), { waiting: 0, claimed: 0, dead: 0, outbox: 0 });
});

test('a task whose work() has ended goes back to the queue, for who has its handler', async (t) => {
  const client = await clientOf(t);
  const worker = await clientOf(t);
  const queue = id('queue');
  const [adding, rest] = [new AbortController(), new AbortController()];
  const added = worker.queue.work('add', () => 'first', { queue, signal: adding.signal });
  const others = worker.queue.work({ mul: () => 'mul' }, { queue, signal: rest.signal });
  assert.equal(await client.queue.result(await client.queue.send('add', [], { queue })), 'first');
  adding.abort();
  await added;
  const told = once(process, 'warning');
  const task = await client.queue.send('add', [], { queue });
  assert.match((await told)[0].message, /work\(\) on add has ended/); // it came, and goes back
  const tasks = { add: () => 'second', mul: () => 'mul' };
  const again = (await clientOf(t)).queue.work(tasks, { queue, signal: rest.signal });
  assert.equal(await client.queue.result(task, { timeoutMs: 20000 }), 'second');
  assert.equal(await client.queue.result(await client.queue.send('mul', [], { queue }), { timeoutMs: 20000 }), 'mul');
  rest.abort();
  await Promise.all([others, again]);
  assert.equal((await client.queue.stats({ queue })).claimed, 0);
});

test('a task that no work() of its queue knows is NotRegistered', async (t) => {
  const client = await clientOf(t);
  const { queue, worker, stop, over } = await workOf(t, { add: () => 1 });
  const controller = new AbortController();
  const other = worker.queue.work('mul', () => 2, { queue: id('queue'), signal: controller.signal });
  for (const [name, kind] of [
    ['mul', 'PermanentError'], // of another queue of the client
    ['constructor', 'NotRegistered'],
    ['nobody', 'NotRegistered'],
  ]) {
    const task = await client.queue.send(name, [], { queue });
    await assert.rejects(client.queue.result(task, { timeoutMs: 20000 }), (error) => {
      assert.equal(error.kind, kind);
      assert.match(`${error.kind} ${error.message}`, new RegExp(`NotRegistered.*${name}`));
      return true;
    });
  }
  controller.abort();
  stop();
  await Promise.all([over, other]);
  await assert.rejects(worker.queue.work({}, { queue }), { code: 'invalid' });
});

test('work() may be called as often as one likes', async (t) => {
  const client = await clientOf(t);
  for (let n = 0; n < 300; n++) {
    const controller = new AbortController();
    const over = client.queue.work('again', () => {}, { queue: id('queue'), signal: controller.signal });
    controller.abort();
    await over;
  }
});

test('a task of a session is stored if it commits', async (t) => {
  const client = await clientOf(t);
  const session = client.session();
  const { stats } = client.queue;
  assert.equal(typeof stats, 'function');
  const before = await client.queue.stats();
  session.enqueue(id('never'), [1]);
  await session.rollback();
  session.add('case', { title: 'with a task' });
  session.enqueue(id('task'), [{ document_id: 'doc-1' }], { key: 'doc-1' });
  await session.commit();
  const after = await client.queue.stats();
  assert.equal(after.waiting + after.outbox, before.waiting + before.outbox + 1);
});

test('a relay sends the tasks of sessions, at once and those that others left', { timeout: 60000 }, async (t) => {
  const done = withResolvers();
  const came = new Set();
  const { queue, stop, over } = await workOf(t, {
    relayed: ({ args: [word] }) => {
      if (came.add(word).size === 2) done.resolve();
    },
  });
  const sender = await clientOf(t, { queueName: queue });
  const relay = await clientOf(t, { queueName: queue, outboxSweepS: 1 });
  const enqueue = async (client, word) => {
    const session = client.session();
    session.enqueue('relayed', [word], { key: 'doc-1' });
    await session.commit();
    await session.close();
  };
  await enqueue(sender, 'left');
  const controller = new AbortController();
  const relaying = relay.queue.relay({ signal: controller.signal });
  await assert.rejects(relay.queue.relay(), { code: 'invalid' }); // one a client
  await enqueue(relay, 'own');
  await done.promise;
  controller.abort();
  await relaying;
  await assert.rejects(relay.queue.relay({ signal: controller.signal }), { name: 'AbortError' });
  stop();
  await over;
});

test('concurrency bounds what runs at a time', async (t) => {
  const client = await clientOf(t);
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers?.() ?? withResolvers();
  const { queue, stop, over } = await workOf(
    t,
    {
      slow: async () => {
        most = Math.max(most, ++running);
        if (running === 3) gate.resolve();
        await gate.promise;
        running--;
      },
    },
    { concurrency: 3 },
  );
  const tasks = await Promise.all(Array.from({ length: 9 }, () => client.queue.send('slow', [], { queue })));
  await Promise.all(tasks.map((task) => client.queue.result(task, { timeoutMs: 20000 })));
  assert.equal(most, 3);
  stop();
  await over;
});

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

test('a stop waits for what runs, and claims no more', async (t) => {
  const client = await clientOf(t);
  const began = withResolvers();
  const gate = withResolvers();
  const { queue, stop, over } = await workOf(
    t,
    {
      slow: async () => {
        began.resolve();
        await gate.promise;
        return 'done';
      },
    },
    { concurrency: 1 },
  );
  const first = await client.queue.send('slow', [], { queue });
  await began.promise;
  stop();
  const second = await client.queue.send('slow', [], { queue });
  gate.resolve();
  await over;
  assert.equal(await client.queue.result(first), 'done');
  assert.equal((await client.queue.stats({ queue })).waiting, 1);
  await assert.rejects(client.queue.result(second, { timeoutMs: 50 }), RequestTimeoutError);
});

test('what runs longer than a shutdown lasts is told so and goes back to the queue', async (t) => {
  const client = await clientOf(t);
  const began = withResolvers();
  let told = false;
  const { queue, stop, over } = await workOf(
    t,
    {
      endless: async ({ signal }) => {
        began.resolve();
        await once(signal, 'abort');
        told = true;
        await new Promise(() => {});
      },
    },
    { shutdownMs: 10 },
  );
  const task = await client.queue.send('endless', [], { queue });
  await began.promise;
  stop();
  await over;
  assert.equal(told, true);
  const again = await clientOf(t);
  const controller = new AbortController();
  const next = again.queue.work('endless', ({ isRedelivered }) => ({ isRedelivered }), {
    queue,
    signal: controller.signal,
  });
  await client.queue.result(task, { timeoutMs: 20000 });
  controller.abort();
  await next;
});

test('a worker that is killed loses nothing: its task is done by another', async (t) => {
  const client = await clientOf(t);
  const queue = id('queue');
  const task = await client.queue.send('die', [], { queue });
  const { code } = await run(`
    import { connect } from '@lex-intel/shared';
    const client = await connect();
    await client.queue.work('die', () => process.kill(process.pid, 'SIGKILL'), { queue: '${queue}' });`);
  assert.equal(code, 'SIGKILL');
  const controller = new AbortController();
  const over = client.queue.work('die', () => 'alive', { queue, signal: controller.signal });
  assert.equal(await client.queue.result(task, { timeoutMs: 60000 }), 'alive');
  controller.abort();
  await over;
});

test('a client that is closed ends its work', async () => {
  const client = await connect();
  const over = assert.rejects(
    client.queue.work('none', () => {}, { queue: id('queue') }),
    { code: 'closed' },
  );
  await client.ping();
  await client.close();
  await over;
});
