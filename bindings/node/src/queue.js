// SPDX-License-Identifier: MIT
// queue.js - both ends of the Celery wire: any Celery client can send to our workers, and ours to Celery's.
import { callable, integer, object, options, refuse, signal as checkSignal, text } from './check.js';
import { AbortError, InvalidError, PermanentError, SharedError, TaskFailedError, classify } from './errors.js';
import native from './native.cjs';
import { timeIn } from './values.js';

const RESULT_TIMEOUT_MS = 3600000;
const CONCURRENCY = 10;
const CONCURRENCY_MAX = 1000;
const MESSAGE_MAX = 2000;
const RESULT = 'what the handler returned';

function json(value, what) {
  try {
    return JSON.stringify(value) ?? refuse(what, 'a value that JSON has', value);
  } catch (cause) {
    if (cause instanceof SharedError) throw cause;
    throw new InvalidError(`${what}: no JSON: ${cause.message}`, { cause });
  }
}

// Each option of send() and what it does to the message.
const SETTERS = {
  kwargs: (message, value) => native.message_set_kwargs(message, json(object(value, 'kwargs'), 'kwargs')),
  id: (message, value) => native.message_set_id(message, text(value, 'id')),
  key: (message, value) => native.message_set_key(message, text(value, 'key')),
  countdownMs: (message, value) => native.message_set_countdown(message, milliseconds(value, 'countdownMs')),
  eta: (message, value) => native.message_set_eta(message, moment(value, 'eta')),
  expires: (message, value) => native.message_set_expires(message, moment(value, 'expires')),
  expiresMs: (message, value) => native.message_set_expires_in(message, milliseconds(value, 'expiresMs')),
  priority: (message, value) => native.message_set_priority(message, integer(value, 'priority', 0, 9)),
  ignoreResult: (message, value) => native.message_set_ignore_result(message, value ? 1 : 0),
};

function milliseconds(value, what) {
  return integer(value, what, 0, Number.MAX_SAFE_INTEGER);
}

function moment(value, what) {
  return value instanceof Date ? timeIn(value) : refuse(what, 'a Date', value);
}

/** What was thrown, whatever it is, in words that C and PostgreSQL can have: no NUL, no half of a surrogate pair. */
function wordsOf(error) {
  let words;
  try {
    words = error instanceof SharedError ? `${error.message}` : String(error);
  } catch {
    words = 'an error that cannot be shown as text';
  }
  return (words || 'Error').slice(0, MESSAGE_MAX).replaceAll('\0', '\uFFFD').replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}

/** Of what was thrown, whatever it is. */
function kindOf(error) {
  try {
    return classify(error) === 'retryable' ? native.RETRYABLE : native.PERMANENT;
  } catch {
    return native.PERMANENT; // a getter of it throws
  }
}

/** A task that came: its arguments, and where it comes from. */
class Task {
  constructor(handle, signal) {
    this.id = native.task_id(handle);
    this.name = native.task_name(handle);
    this.args = JSON.parse(native.task_args(handle));
    this.kwargs = JSON.parse(native.task_kwargs(handle));
    this.attempt = native.task_attempt(handle);
    this.isLast = native.task_is_last(handle) === 1;
    this.isRedelivered = native.task_is_redelivered(handle) === 1;
    this.queue = native.task_queue(handle);
    this.signal = signal;
  }
}

export class Queue {
  #client;
  #crews = new Map(); // by queue
  #registered = new Set(); // names of tasks that the client knows, on all queues

  /** @internal */
  constructor(client) {
    this.#client = client;
  }

  /** Sends a task with these positional arguments: its id. For one that belongs to a commit: session.enqueue(). */
  async send(task, args = [], given) {
    const {
      queue = null,
      softTimeLimitMs = 0,
      timeLimitMs = 0,
      signal,
      ...rest
    } = options(given, ['queue', 'signal', 'softTimeLimitMs', 'timeLimitMs', ...Object.keys(SETTERS)]);
    if (!Array.isArray(args)) refuse('args', 'an array', args);
    const message = native.message_new(text(task, 'task'), json(args, 'args'));
    for (const [name, value] of Object.entries(rest)) if (value !== undefined) SETTERS[name](message, value);
    native.message_set_time_limits(
      message,
      milliseconds(softTimeLimitMs, 'softTimeLimitMs'),
      milliseconds(timeLimitMs, 'timeLimitMs'),
    );
    await this.#client.request(
      (handle, tag) => native.queue_send_message(handle, queue, message, tag),
      undefined,
      signal,
    );
    return native.message_id(message);
  }

  /** What the task returned. TaskFailedError: it failed; RequestTimeoutError: no result in that time. */
  async result(id, given) {
    const { timeoutMs = RESULT_TIMEOUT_MS, signal } = options(given, ['timeoutMs', 'signal']);
    text(id, 'id');
    integer(timeoutMs, 'timeoutMs', 0, Number.MAX_SAFE_INTEGER);
    const answer = await this.#client.request(
      (handle, tag) => native.queue_result(handle, id, timeoutMs, tag),
      (payload) => JSON.parse(payload[1]),
      signal,
    );
    if (answer.status === 'SUCCESS') return answer.result ?? null;
    const failure = answer.result ?? {};
    const error = new TaskFailedError([failure.exc_message ?? answer.status].flat().join(' '));
    error.kind = failure.exc_type ?? answer.status;
    throw error;
  }

  /** How many tasks wait, are claimed, were set aside, and wait in the outbox. */
  async stats(given) {
    const { queue = null, signal } = options(given, ['queue', 'signal']);
    return this.#client.request(
      (handle, tag) => native.queue_stats(handle, queue, tag),
      (payload) => JSON.parse(payload[1]),
      signal,
    );
  }

  /** Works on tasks until the signal: then it begins no more, and what runs has shutdownMs to come to its end. */
  async work(name, handler, given) {
    const handlers = typeof name === 'string' ? { [name]: handler } : object(name, 'tasks');
    const settings = options(typeof name === 'string' ? given : handler, [
      'queue',
      'concurrency',
      'signal',
      'shutdownMs',
    ]);
    const names = Object.keys(handlers);
    if (names.length === 0) refuse('tasks', 'at least one handler', handlers);
    for (const task of names) callable(handlers[task], `the handler of ${task}`);
    const { queue = this.#client.setting('QUEUE_NAME'), concurrency = CONCURRENCY, signal } = settings;
    const shutdownMs = settings.shutdownMs ?? Number(this.#client.setting('WORKER_SHUTDOWN_S')) * 1000;
    integer(concurrency, 'concurrency', 1, CONCURRENCY_MAX);
    checkSignal(signal);
    await new Work(this.#client, this.#crewOf(text(queue, 'queue')), handlers, concurrency, shutdownMs).run(signal);
  }

  /** Sends what sessions enqueued, until the signal: at once after each commit of this client, and every
   * OUTBOX_SWEEP_S what others have left unsent. */
  async relay(given) {
    const { signal } = options(given, ['signal']);
    checkSignal(signal);
    const stream = this.#client.stream((handle, tag) => native.queue_relay(handle, tag), {});
    const stop = () => stream.stop();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await stream.next();
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  #crewOf(queue) {
    const crew = this.#crews.get(queue) ?? new Crew(queue, this.#registered);
    this.#crews.set(queue, crew);
    return crew;
  }
}

/** All work() of a client on one queue. Each claims what is next, which another one may have the handler of. */
class Crew {
  #works = new Set();
  #names = new Set(); // that one of them has, or had
  #told = new Set();
  #registered;

  constructor(queue, registered) {
    this.queue = queue;
    this.#registered = registered;
  }

  enter(work, names, handle) {
    for (const name of names) {
      if (!this.#registered.has(name)) native.queue_register(handle, name);
      this.#registered.add(name);
      this.#names.add(name);
    }
    this.#works.add(work);
  }

  leave(work) {
    this.#works.delete(work);
  }

  /** Whether one of them had the handler, and has ended. Told once, since such tasks stand before all others then. */
  had(name) {
    if (!this.#names.has(name) || this.#told.has(name)) return this.#names.has(name);
    this.#told.add(name);
    const words = `work() on ${name} has ended: its tasks go back to the queue ${this.queue}, for other workers`;
    process.emitWarning(words, { type: 'SharedWarning' });
    return true;
  }

  /** Who does such a task: who claimed it if it can, else one that has room, else one whose tasks end some time. */
  find(name, claimer) {
    const able = [claimer, ...this.#works].filter((work) => work.has(name));
    return able.find((work) => work === claimer || work.hasRoom) ?? able[0];
  }
}

/** One call of work(). */
class Work {
  #client;
  #crew;
  #handlers;
  #concurrency;
  #shutdownMs;
  #running = new Set();
  #waiting = []; // claimed by others, who have room when this one has none
  #stopped = false;
  #over = new AbortController(); // of the tasks that run longer than a shutdown lasts

  constructor(client, crew, handlers, concurrency, shutdownMs) {
    this.#client = client;
    this.#crew = crew;
    this.#handlers = handlers;
    this.#concurrency = concurrency;
    this.#shutdownMs = shutdownMs;
  }

  async run(signal) {
    this.#crew.enter(this, Object.keys(this.#handlers), this.#client.handle);
    let stop;
    try {
      const { queue } = this.#crew;
      const start = (handle, tag) => native.queue_consume(handle, queue, this.#concurrency, tag);
      const stream = this.#client.stream(start, { kind: native.EVENT_TASK, most: Infinity });
      stop = () => {
        this.#stop();
        stream.stop();
      };
      signal?.addEventListener('abort', stop, { once: true });
      for await (const handle of stream) this.#claimed(handle);
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#stop();
      await this.#settle();
      this.#crew.leave(this);
    }
  }

  has(name) {
    return !this.#stopped && Object.hasOwn(this.#handlers, name);
  }

  get hasRoom() {
    return this.#running.size < this.#concurrency;
  }

  /** From now on it begins nothing. */
  #stop() {
    this.#stopped = true;
    for (const handle of this.#waiting.splice(0)) native.handle_close(handle);
  }

  /** A task whose handler has ended goes back: another process may have it. So does what comes too late. */
  #claimed(handle) {
    const name = native.task_name(handle);
    const work = this.#crew.find(name, this);
    if (work !== undefined) work.take(handle);
    else if (this.#stopped || this.#crew.had(name)) native.handle_close(handle);
    else this.#follow(this.#fail(handle, new PermanentError(`NotRegistered: ${name}`)));
  }

  take(handle) {
    if (this.hasRoom) this.#follow(this.#one(handle));
    else this.#waiting.push(handle);
  }

  #follow(promise) {
    const work = promise.finally(() => {
      this.#running.delete(work);
      if (this.hasRoom && this.#waiting.length > 0) this.take(this.#waiting.shift());
    });
    this.#running.add(work);
  }

  /** Waits for what runs; what takes too long is told so, and goes back to the queue. */
  async #settle() {
    if (this.#running.size === 0) return;
    const timer = setTimeout(() => this.#over.abort(), this.#shutdownMs);
    await Promise.allSettled(this.#running);
    clearTimeout(timer);
  }

  async #one(handle) {
    let answer;
    try {
      const task = new Task(handle, this.#over.signal);
      answer = json((await this.#unlessOver(this.#handlers[task.name](task))) ?? null, RESULT);
    } catch (error) {
      if (this.#over.signal.aborted && error instanceof AbortError)
        native.handle_close(handle); // back to the queue
      else await this.#fail(handle, error);
      return;
    }
    await this.#succeed(handle, answer);
  }

  #unlessOver(promise) {
    const { signal } = this.#over;
    return new Promise((resolve, reject) => {
      const over = () => reject(new AbortError(signal));
      signal.addEventListener('abort', over, { once: true });
      Promise.resolve(promise)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', over));
    });
  }

  /** JSON of JavaScript has what JSON of others has not: half of a surrogate pair, any depth. */
  async #succeed(handle, answer) {
    try {
      await this.#answer('task_succeed', handle, answer);
    } catch (error) {
      const refused = error instanceof InvalidError && native.task_is_held(handle) === 1;
      if (refused) await this.#fail(handle, new InvalidError(`${RESULT}: no JSON that others can read`));
      else this.#giveUp(handle, error);
    }
  }

  async #fail(handle, error) {
    try {
      await this.#answer('task_fail', handle, kindOf(error), wordsOf(error));
    } catch (failure) {
      this.#giveUp(handle, failure);
    }
  }

  #answer(how, handle, ...words) {
    return this.#client.request((_, tag) => native[how](handle, ...words, tag));
  }

  /** A claim that another worker has taken over meanwhile is that one's to answer; one that is still ours goes back. */
  #giveUp(handle, error) {
    native.handle_close(handle);
    process.emitWarning(`a task could not be answered: ${error.message}`, { type: 'SharedWarning' });
  }
}
