// SPDX-License-Identifier: MIT
// client.js - one connection to everything, on Node's own loop: requests go out with a tag, and each is a promise that
// its last event settles, or a stream that its events feed. Knows no SQL and no tasks: session.js and the others do.
import { Cells } from './cells.js';
import { object, options, refuse, show, signal as checkSignal } from './check.js';
import { AbortError, ClosedError, InvalidError, NotFoundError, RequestCancelledError } from './errors.js';
import native from './native.cjs';
import { Progress } from './progress.js';
import { Queue } from './queue.js';
import { Session } from './session.js';

const PARTS = 8; // of an event, as rows.h has them
const HEAD = 2; // again and list stand before the events
const NONE = [];
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose');

/** Clients with requests under way: nobody else may hold them meanwhile. */
const busy = new Set();

const forgotten = new FinalizationRegistry(({ watch, handle }) => {
  native.watch_close(watch);
  native.handle_close(handle);
  process.emitWarning('a client was not closed: await client.close(), or await using client = await connect()', {
    type: 'SharedWarning',
    code: 'SHARED_UNCLOSED',
  });
});

/** A request that one promise waits for. rows(objects, cells, first, count, heads) puts the objects of some rows onto a
 * list as they come; map(what came, count) makes the answer of it. */
class Request {
  constructor(resolve, reject, map, rows) {
    this.resolve = resolve;
    this.reject = reject;
    this.map = map;
    this.rows = rows;
    this.objects = undefined;
    this.signal = undefined;
    this.owner = undefined; // who would be forgotten with nobody but the request waiting
  }

  /** An event; more 0: it was the last one. */
  take({ more, count, payload, error, cells, first, rows }) {
    if (rows > 0 && this.rows !== undefined) {
      try {
        this.rows((this.objects ??= []), cells, first, rows, payload);
      } catch (failure) {
        this.#failure ??= failure;
      }
    }
    if (more) return;
    this.leave();
    const failure = error ?? this.#failure;
    if (failure === null) this.#answer(count, payload);
    else this.reject(aborted(this.signal, failure) ? new AbortError(this.signal) : failure);
  }

  #failure = null;

  #answer(count, payload) {
    const came = this.rows === undefined ? payload : (this.objects ?? []);
    try {
      this.resolve(this.map === undefined ? came : this.map(came, count));
    } catch (failure) {
      this.reject(failure);
    }
  }

  follow(signal, cancel) {
    this.signal = signal;
    this.cancel = cancel;
    signal.addEventListener('abort', cancel, { once: true });
  }

  leave() {
    this.signal?.removeEventListener('abort', this.cancel);
  }
}

function aborted(signal, error) {
  return signal?.aborted === true && error instanceof RequestCancelledError;
}

/** Events of one request, for one reader: `for await`, or one next() at a time. No more than `most` wait; then
 * `squeeze` makes them fewer. */
export class Stream {
  #client;
  #events = [];
  #waiting;
  #ended = false;
  #failure = null;
  #signal;
  #cancel;
  #options;

  constructor(client, settings) {
    this.#client = client;
    this.#options = settings;
    this.tag = 0;
  }

  follow(signal) {
    if (!signal) return;
    this.#signal = signal;
    this.#cancel = () => this.#client.cancel(this.tag);
    signal.addEventListener('abort', this.#cancel, { once: true });
  }

  take({ more, kind, payload, error }) {
    if (error !== null && more) return; // of one document among several; its end says nothing more
    if (!more) {
      this.#ended = true;
      this.#signal?.removeEventListener('abort', this.#cancel);
      this.#failure = aborted(this.#signal, error) ? new AbortError(this.#signal) : error;
      if (this.#stopped && error instanceof RequestCancelledError) this.#failure = null;
    }
    if (kind === this.#options.kind && payload !== null && !this.#left) {
      this.#events.push(payload);
      if (this.#events.length > this.#options.most) this.#events = this.#options.squeeze(this.#events);
    }
    this.#wake();
  }

  #stopped = false;

  /** Asks for its end; what is on its way still comes. */
  stop() {
    this.#stopped = true;
    if (!this.#ended) this.#client.cancel(this.tag);
  }

  get ended() {
    return this.#ended;
  }

  #wake() {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  async next() {
    while (this.#events.length === 0) {
      const failure = this.#failure;
      this.#failure = null;
      if (failure) throw failure;
      if (this.#ended || this.#left) return { value: undefined, done: true };
      await new Promise((resolve) => {
        this.#waiting = resolve;
      });
    }
    return { value: this.#events.shift(), done: false };
  }

  #left = false;

  /** Nobody reads on: it ends, for a next() that waits as well. */
  async return(value) {
    this.#left = true;
    this.stop();
    this.#events = [];
    this.#wake();
    return { value, done: true };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

/** databaseUrl -> DATABASE_URL */
function settingName(name) {
  return /^[A-Z]/.test(name) ? name : name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

function configOf(settings) {
  const config = native.config_from_env();
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    if (!['string', 'number', 'bigint', 'boolean'].includes(typeof value) && !(value instanceof URL)) {
      refuse(`setting ${name}`, 'a text, a number or a URL', value);
    }
    if (native.config_get(config, settingName(name)) === null) {
      throw new InvalidError(`settings: there is no ${show(name)} (${settingName(name)}); docs/config.md lists them`);
    }
    native.config_set(config, settingName(name), String(value));
  }
  return config;
}

export class Client {
  #handle;
  #watch;
  #cursor;
  #event; // the one that is being taken: always the same object, since nobody keeps it
  #config;
  #tag = 0;
  #waiting = new Map();
  #leaving = false;
  #again = false;

  /** @internal connect() makes them */
  constructor(settings) {
    this.#config = configOf(settings);
    this.#handle = native.client_new(this.#config);
    const [cursor, cells, flags] = native.cursor_new();
    this.#cursor = cursor;
    this.#event = { cells: new Cells(cells, flags) };
    const me = new WeakRef(this); // or the loop would keep it alive for ever
    this.#watch = native.watch_new(native.client_fd(this.#handle), () => me.deref()?.dispatch());
    this.progress = new Progress(this);
    this.queue = new Queue(this);
    forgotten.register(this, { watch: this.#watch, handle: this.#handle }, this);
  }

  /** @internal */
  get handle() {
    if (this.#handle === undefined) throw new ClosedError('the client is closed');
    return this.#handle;
  }

  get closed() {
    return this.#handle === undefined;
  }

  /** A setting as text, by its name in the environment. @internal */
  setting(name) {
    return native.config_get(this.#config, name);
  }

  /** A unit of work on the database. */
  session() {
    return new Session(this);
  }

  /** Both servers answer, or the error names the one that does not. */
  async ping(given) {
    const { signal } = options(given, ['signal']);
    for (const domain of [native.POSTGRES, native.REDIS]) {
      await this.request((handle, tag) => native.client_ping(handle, domain, tag), undefined, signal);
    }
  }

  // --- requests ------------------------------------------------------------------------------------------------------

  /** Starts a request with a tag; a promise of what map makes of its answer, as class Request says. @internal */
  request(start, map, signal, owner, rows) {
    return new Promise((resolve, reject) => {
      if (signal !== undefined) checkSignal(signal);
      const request = new Request(resolve, reject, map, rows);
      request.owner = owner;
      const tag = this.#enter(start, request);
      if (signal !== undefined) request.follow(signal, () => this.cancel(tag));
    });
  }

  /** Starts a request of several events. @internal */
  stream(start, settings) {
    checkSignal(settings.signal);
    const stream = new Stream(this, settings);
    stream.tag = this.#enter(start, stream);
    stream.follow(settings.signal);
    return stream;
  }

  #enter(start, one) {
    const tag = this.#tag + 1;
    start(this.handle, tag);
    this.#tag = tag;
    if (this.#waiting.size === 0) {
      native.watch_ref(this.#watch, 1);
      busy.add(this);
    }
    this.#waiting.set(tag, one);
    if (!this.#leaving) {
      // all that are made in this turn leave together
      this.#leaving = true;
      queueMicrotask(() => {
        this.#leaving = false;
        this.dispatch();
      });
    }
    return tag;
  }

  /** @internal */
  cancel(tag) {
    if (this.#handle === undefined) return;
    try {
      native.client_cancel(this.#handle, tag);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error; // it has ended meanwhile
    }
  }

  /** Tag of the newest request. @internal */
  get newest() {
    return this.#tag;
  }

  /** Cancels requests of an owner that are newer than that tag. @internal */
  cancelAll(owner, tag) {
    for (const [number, one] of this.#waiting) if (number > tag && one.owner === owner) this.cancel(number);
  }

  /** @internal */
  dispatch() {
    if (this.#handle === undefined) return;
    let events;
    try {
      events = native.drain(this.#handle, this.#cursor);
    } catch (error) {
      this.#end(error);
      return;
    }
    const event = this.#event;
    event.cells.list = events[1];
    for (let place = HEAD; place < events.length; place += PARTS) {
      const tag = events[place];
      const one = this.#waiting.get(tag);
      if (one === undefined) continue;
      event.more = events[place + 1];
      event.kind = events[place + 2];
      event.count = events[place + 3];
      event.payload = events[place + 4];
      event.error = events[place + 5];
      event.first = events[place + 6];
      event.rows = events[place + 7];
      if (event.more === 0) this.#waiting.delete(tag);
      one.take(event);
    }
    event.cells.list = NONE;
    if (events[0] && !this.#again) {
      this.#again = true;
      setImmediate(() => {
        this.#again = false;
        this.dispatch();
      });
    }
    this.#rest();
  }

  /** The process may end, and the client be forgotten, when nothing is under way. */
  #rest() {
    if (this.#waiting.size > 0 || this.#handle === undefined) return;
    native.watch_ref(this.#watch, 0);
    busy.delete(this);
  }

  // --- the end -------------------------------------------------------------------------------------------------------

  /** Ends what is open: requests under way are rejected, transactions roll back. */
  async close() {
    this.#end(new ClosedError('the client was closed'));
  }

  #end(error) {
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#handle = undefined;
    forgotten.unregister(this);
    native.watch_close(this.#watch);
    native.handle_close(handle);
    busy.delete(this);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.take({ more: 0, kind: 0, count: 0, payload: null, error, rows: 0 });
  }

  async [asyncDispose]() {
    await this.close();
  }
}

/** A client with the settings of the environment, and these: databaseUrl is DATABASE_URL, and so on. Connections
 * are opened when they are first needed; ping() opens both. */
export async function connect(settings = {}) {
  return new Client(object(settings, 'settings'));
}
