// SPDX-License-Identifier: MIT
// session.js - a unit of work: reads, changes that wait for the commit, SQL, transactions. The library keeps the order
// of what is asked for, so nothing needs to be awaited one by one.
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  callable,
  fields,
  integer,
  json,
  model as checkModel,
  object,
  options,
  refuse,
  signal as checkSignal,
  text,
} from './check.js';
import { AbortError, ClosedError, InvalidError, RequestCancelledError } from './errors.js';
import { MODELS } from './models.js';
import native from './native.cjs';
import { query, sql, Sql, statementOf } from './sql.js';
import { timeOut } from './values.js';

const ADD = 0;
const UPDATE = 1;
const DELETE = 2;
const ROWS_PER_BATCH = 500;
const ROWS_PER_BATCH_MAX = 10000;
const ISOLATION = {
  'read committed': native.READ_COMMITTED,
  'repeatable read': native.REPEATABLE_READ,
  serializable: native.SERIALIZABLE,
};
const LOCKS = {
  update: native.FOR_UPDATE,
  'no key update': native.FOR_NO_KEY_UPDATE,
  share: native.FOR_SHARE,
  'key share': native.FOR_KEY_SHARE,
};
const WAITS = { wait: native.WAIT, nowait: native.NOWAIT, 'skip locked': native.SKIP_LOCKED };
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose');

let cursors = 0;

// --- rows -> objects -------------------------------------------------------------------------------------------------

/** What a column's values become, where they do not stay as they are. */
function converter(type) {
  if (type === native.TYPE_TIME) return timeOut;
  return type === native.TYPE_JSON ? JSON.parse : undefined;
}

function rawObjects(objects, cells, first, rows, [names, types]) {
  const converters = types.map(converter);
  const width = names.length;
  for (let place = first; place < first + rows * width; place += width) {
    const row = {};
    for (let column = 0; column < width; column++) {
      const value = cells.at(place + column);
      const convert = converters[column];
      row[names[column]] = convert === undefined || value === null ? value : convert(value);
    }
    objects.push(row);
  }
}

for (const description of Object.values(MODELS)) {
  const width = description.fields.length;
  description.rows = (objects, cells, first, rows) => {
    for (let place = first; place < first + rows * width; place += width) objects.push(description.make(cells, place));
  };
}

const onlyOne = (objects) => objects[0] ?? null;

function result(objects, count) {
  return Object.defineProperty(objects, 'count', { value: count });
}

// --- transactions ----------------------------------------------------------------------------------------------------

/** The scope of the work that runs: so a transaction within another one is told from one beside it. */
const scopes = new AsyncLocalStorage();

const nothing = () => {};

/** A transaction() of a session, or what stands around all of them: those that are called in it run one by one. */
class Scope {
  #busy; // settles when those that were called in it by now have ended; never rejects

  constructor(session, outer, signal) {
    this.session = session;
    this.outer = outer;
    this.signal = signal;
    this.isOpen = true;
    this.around = outer && openScope(scopes.getStore()); // one that is over is not kept
  }

  /** Runs work at once, or when what came before has ended. */
  async run(work, signal) {
    const before = this.#busy;
    let leave;
    const busy = new Promise((resolve) => {
      leave = () => {
        if (this.#busy === busy) this.#busy = undefined;
        resolve();
      };
    });
    this.#busy = busy;
    try {
      if (before !== undefined) await until(before, signal);
    } catch (error) {
      before.then(leave);
      throw error;
    }
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** Nothing more can be called in it, and what was has ended. */
  async close() {
    this.isOpen = false;
    await this.#busy;
  }
}

/** That one, or the nearest around it that is not over. */
function openScope(scope) {
  let open = scope;
  while (open !== undefined && !open.isOpen) open = open.around;
  return open;
}

/** When the promise has come, or an AbortError when the signal is first. */
function until(promise, signal) {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(new AbortError(signal));
    signal.addEventListener('abort', abort, { once: true });
    promise.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
  });
}

// --- the session -----------------------------------------------------------------------------------------------------

export class Session {
  #client;
  #handle;
  #added = []; // [object, record, description]: shown as they are stored after the commit
  #savepoints = 0;
  #isOpen = false; // a transaction, or changes wait: as the library has it
  #ended = 0; // tag of the newest commit or rollback that was accepted
  #failure; // of the last commit, until something else is asked for
  #root; // scope of what is called outside of all transactions
  #scope; // innermost transaction that runs
  #closing;

  /** @internal client.session() makes them */
  constructor(client) {
    this.#client = client;
    this.#handle = native.session_new(client.handle);
  }

  get #open() {
    if (this.#handle === undefined) throw new ClosedError('the session is closed');
    return this.#handle;
  }

  #request(start, map, signal, rows) {
    const handle = this.#open;
    for (let scope = this.#scope; scope !== undefined; scope = scope.outer) checkSignal(scope.signal);
    return this.#client.request((_, tag) => start(handle, tag), map, signal, this, rows);
  }

  /** Something was asked for that a commit or a rollback ends. */
  #began() {
    this.#isOpen = true;
    this.#failure = undefined;
  }

  // --- reads ---------------------------------------------------------------------------------------------------------

  async get(name, key, given) {
    const description = checkModel(name);
    const { signal } = options(given, ['signal']);
    if (description.keys.length > 1) {
      const [row] = await this.select(name, keyCondition(description, key), { signal });
      return row ?? null;
    }
    text(key, `the key of a ${name}`);
    return this.#request(
      (handle, tag) => native.session_get(handle, description.number, key, tag),
      onlyOne,
      signal,
      description.rows,
    );
  }

  async getMany(name, keys, given) {
    const description = checkModel(name);
    const { signal } = options(given, ['signal']);
    if (!Array.isArray(keys)) refuse('keys', 'an array of strings', keys);
    return this.#request(
      (handle, tag) => native.session_get_many(handle, description.number, keys, tag),
      undefined,
      signal,
      description.rows,
    );
  }

  /** Rows of a model: where is a piece of SQL, or undefined for all. */
  async select(name, where, given) {
    const description = checkModel(name);
    const { orderBy, limit, after, lock, wait, signal } = options(given, [
      'orderBy',
      'limit',
      'after',
      'lock',
      'wait',
      'signal',
    ]);
    const statement = where === undefined ? sql`` : where;
    if (!(statement instanceof Sql)) refuse('where', 'sql`...`', statement);
    const question = query(description.number, statement);
    if (orderBy !== undefined) native.query_order(question, columnsOf(description, text(orderBy, 'orderBy')));
    if (limit !== undefined) native.query_limit(question, integer(limit, 'limit', 0, Number.MAX_SAFE_INTEGER));
    if (after !== undefined) native.query_after(question, recordOf(description, after, 'after'));
    if (lock !== undefined) {
      native.query_lock(question, word(LOCKS, lock, 'lock'), word(WAITS, wait ?? 'wait', 'wait'));
    }
    return this.#request(
      (handle, tag) => this.#ask(handle, question, tag, lock !== undefined),
      undefined,
      signal,
      description.rows,
    );
  }

  /** session.query`SELECT ... ${value}`, or session.query(sql`...`, { readOnly, signal }). */
  async query(first, ...rest) {
    const [statement, more] = statementOf('session.query', first, rest);
    const { readOnly, signal } = options(more, ['readOnly', 'signal']);
    const question = query(0, statement);
    if (readOnly) native.query_read_only(question);
    return this.#request((handle, tag) => this.#ask(handle, question, tag, !readOnly), result, signal, rawObjects);
  }

  #ask(handle, question, tag, begins) {
    native.session_query(handle, question, tag);
    if (begins) this.#began();
  }

  /** Rows some at a time, in bounded memory: the server is asked for more only when the reader has come so far. */
  stream(first, ...rest) {
    const [statement, more] = statementOf('session.stream', first, rest);
    const { rowsPerBatch = ROWS_PER_BATCH, signal } = options(more, ['rowsPerBatch', 'signal']);
    integer(rowsPerBatch, 'rowsPerBatch', 1, ROWS_PER_BATCH_MAX);
    checkSignal(signal);
    return this.#streamRows(statement, rowsPerBatch, signal);
  }

  /** A cursor of our own: the library gives the events of a stream as they come, and they would pile up here. */
  async *#streamRows(statement, rowsPerBatch, signal) {
    const own = this.#isOpen ? undefined : this.#client.session();
    const session = own ?? this;
    const name = sql.identifier(`shared_node_${++cursors}`);
    const fetch = () => {
      const rows = session.query(sql`${sql.raw(`FETCH FORWARD ${rowsPerBatch} FROM `)}${name}`, { signal });
      rows.catch(() => {}); // heard when it is awaited, if it is
      return rows;
    };
    try {
      await session.query(sql`DECLARE ${name} NO SCROLL CURSOR FOR ${statement}`, { signal });
      let next = fetch();
      for (;;) {
        const rows = await next;
        if (rows.length === rowsPerBatch) next = fetch();
        yield* rows;
        if (rows.length < rowsPerBatch) break;
      }
    } finally {
      if (own) await own.close();
      else if (!this.closed) await this.query(sql`CLOSE ${name}`).catch(() => {});
    }
  }

  // --- changes -------------------------------------------------------------------------------------------------------

  /** Inserted at the next flush, which each read, query and commit begins with. The object that comes back has the
   * key, and after the commit all that the database filled in. */
  add(name, values) {
    const description = checkModel(name);
    const record = this.#change(description, values, ADD, name);
    const made = description.make(native.record_values(record, description.bigs), 0);
    this.#added.push([made, record, description]);
    return made;
  }

  /** Many rows of one model, as one statement. What the database fills in is not read back. */
  addMany(name, rows) {
    const description = checkModel(name);
    if (!Array.isArray(rows)) refuse(`rows of ${name}`, 'an array', rows);
    const list = [];
    rows.forEach((row, place) => fields(list, description, row, `${name} number ${place}`));
    const handle = this.#open;
    if (rows.length > 0) this.#began(); // also when one is refused: those before it wait
    native.session_copy_all(handle, description.number, list);
  }

  /** The fields that are given are written at the next flush; the key says of which row. */
  update(name, values) {
    const description = checkModel(name);
    keyCheck(description, values, name);
    this.#change(description, values, UPDATE, name);
  }

  delete(name, key) {
    const description = checkModel(name);
    const values = description.keys.length === 1 && typeof key === 'string' ? { [description.keys[0]]: key } : key;
    keyCheck(description, values, name);
    const keys = Object.fromEntries(description.keys.map((part) => [part, values[part]]));
    this.#change(description, keys, DELETE, name);
  }

  #change(description, values, how, name) {
    const list = [];
    fields(list, description, values, name);
    const record = native.session_change(this.#open, description.number, list, how);
    this.#began();
    return record;
  }

  /** A task that is sent if and only if this session commits. */
  enqueue(task, args = [], given) {
    const { key = null } = options(given, ['key']);
    if (!Array.isArray(args)) refuse('args', 'an array', args);
    native.session_enqueue(this.#open, text(task, 'task'), json(args, 'args'), key);
    this.#began();
  }

  // --- their end -----------------------------------------------------------------------------------------------------

  /** Writes what waits, without a commit: the number of rows touched. */
  async flush(given) {
    const { signal } = options(given, ['signal']);
    return this.#request(
      (handle, tag) => native.session_flush(handle, tag),
      (came, count) => count,
      signal,
    );
  }

  /** Writes what waits and commits, all or nothing: the number of rows touched by it. One that fails has undone it all
   * and forgotten what waited; asked for again, with nothing new, it says so. */
  async commit(given) {
    const { signal } = options(given, ['signal']);
    if (this.#failure !== undefined && !this.#isOpen) {
      const cause = this.#failure;
      throw new InvalidError('commit: the last one failed: make its changes again, or rollback()', { cause });
    }
    const before = this.#ended;
    const committed = this.#commit(signal);
    const ended = this.#ended;
    try {
      return await committed;
    } catch (error) {
      const isLast = ended !== before && ended === this.#ended && !this.#isOpen;
      if (isLast) this.#failure = error;
      throw error;
    }
  }

  async #commit(signal) {
    const added = this.#added;
    return this.#request(
      (handle, tag) => {
        native.session_commit(handle, tag);
        this.#forget(tag);
      },
      (came, count) => {
        for (const [made, record, description] of added) {
          Object.assign(made, description.make(native.record_values(record, description.bigs), 0));
        }
        return count;
      },
      signal,
    );
  }

  /** Forgets what waits and undoes what was done since the last commit. */
  async rollback(given) {
    const { signal } = options(given, ['signal']);
    return this.#request(
      (handle, tag) => {
        native.session_rollback(handle, tag);
        this.#forget(tag);
      },
      undefined,
      signal,
    );
  }

  /** The library has accepted an end of what is open. */
  #forget(tag) {
    this.#ended = tag;
    this.#added = [];
    this.#savepoints = 0;
    this.#isOpen = false;
    this.#failure = undefined;
  }

  // --- transactions --------------------------------------------------------------------------------------------------

  /** Runs work(session) in a transaction: committed when it returns, rolled back when it throws. What is open already
   * belongs to it. Within another one it is a part that can be undone by itself (a savepoint). */
  async transaction(work, given) {
    callable(work, 'transaction');
    const { isolation, readOnly, deferrable, signal } = options(given, [
      'isolation',
      'readOnly',
      'deferrable',
      'signal',
    ]);
    checkSignal(signal);
    const begin = {
      isolation: word(ISOLATION, isolation ?? 'read committed', 'isolation'),
      flags: (readOnly ? native.READ_ONLY : 0) | (deferrable ? native.DEFERRABLE : 0),
      isAsked: isolation !== undefined || readOnly !== undefined || deferrable !== undefined,
    };
    const outer = this.#scopeAround();
    return await outer.run(async () => {
      checkSignal(signal);
      // Of one that is open already the library refuses options.
      if (begin.isAsked || !this.#isOpen) native.session_begin(this.#open, begin.isolation, begin.flags);
      this.#began();
      const scope = new Scope(this, outer, signal);
      return outer === this.#root ? this.#whole(scope, work) : this.#part(scope, work);
    }, signal);
  }

  /** The transaction in whose work this is called. */
  #scopeAround() {
    let scope = openScope(scopes.getStore());
    while (scope !== undefined && scope.session !== this) scope = openScope(scope.around);
    return scope ?? (this.#root ??= new Scope(this));
  }

  async #whole(scope, work) {
    let ended;
    try {
      const answer = await this.#within(scope, work);
      ended = this.#ended;
      await this.#commit(scope.signal);
      return answer;
    } catch (error) {
      const isOver = ended !== undefined && ended !== this.#ended; // by a commit that failed
      if (!isOver && this.#isAlive) await this.rollback().catch(nothing);
      throw error;
    }
  }

  async #part(scope, work) {
    const name = `shared_${++this.#savepoints}`;
    const mark = this.#added.length;
    native.session_savepoint(this.#open, name);
    try {
      const answer = await this.#within(scope, work);
      await this.flush({ signal: scope.signal });
      native.session_release(this.#open, name);
      return answer;
    } catch (error) {
      this.#added.length = Math.min(this.#added.length, mark);
      if (this.#isAlive) {
        await this.#request((handle, tag) => native.session_rollback_to(handle, name, tag)).catch(nothing);
      }
      throw error;
    }
  }

  /** Its signal cancels what was asked for since, and refuses what is asked for then. */
  async #within(scope, work) {
    const { signal } = scope;
    const newest = this.#client.newest;
    const stop = () => this.#client.cancelAll(this, newest);
    const around = this.#scope;
    signal?.addEventListener('abort', stop, { once: true });
    this.#scope = scope;
    try {
      return await scopes.run(scope, work, this);
    } catch (error) {
      throw signal?.aborted && error instanceof RequestCancelledError ? new AbortError(signal) : error;
    } finally {
      await scope.close();
      this.#scope = around;
      signal?.removeEventListener('abort', stop);
    }
  }

  get #isAlive() {
    return !this.closed && !this.#client.closed;
  }

  // --- the end -------------------------------------------------------------------------------------------------------

  get closed() {
    return this.#handle === undefined;
  }

  /** Cancels what is under way and rolls back what is open: the server has when it returns. Waits for a commit. */
  close() {
    return (this.#closing ??= this.#close());
  }

  async #close() {
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      const mayWait = this.#isOpen || this.#ended > 0;
      if (mayWait && !this.#client.closed) await this.#undo(handle);
    } finally {
      native.handle_close(handle);
    }
  }

  /** Pinned, the library rolls back a transaction that has failed in its turn as well, not behind our back. */
  async #undo(handle) {
    native.session_pin(handle);
    this.#client.cancelAll(this, this.#ended);
    const start = (_, tag) => native.session_rollback(handle, tag);
    await this.#client.request(start, undefined, undefined, this).catch(nothing); // then its connection is gone
  }

  async [asyncDispose]() {
    await this.close();
  }
}

// --- arguments -------------------------------------------------------------------------------------------------------

function word(table, value, what) {
  if (typeof value === 'string' && Object.hasOwn(table, value)) return table[value];
  return refuse(what, `one of ${Object.keys(table).join(', ')}`, value);
}

function keyCheck(description, values, name) {
  object(values, name);
  for (const part of description.keys) {
    if (values[part] === undefined || values[part] === null) {
      throw new InvalidError(`${name}: the key is ${description.keys.join(', ')}; ${part} is not given`);
    }
  }
}

function keyCondition(description, key) {
  keyCheck(description, key, 'key');
  return description.keys
    .map((part) => sql`${sql.identifier(columnOf(description, part))} = ${key[part]}`)
    .reduce((left, right) => sql`${left} AND ${right}`);
}

function columnOf(description, field) {
  return description.columns[description.fields.indexOf(field)];
}

/** Fields by the names that objects have, as columns: "createdAt DESC" -> "created_at DESC". */
function columnsOf(description, order) {
  return order.replaceAll(/[A-Za-z]\w*/g, (name) => (description.known.has(name) ? columnOf(description, name) : name));
}

function recordOf(description, values, what) {
  const list = [];
  fields(list, description, values, what);
  return native.record_from_values(description.number, list);
}
