// SPDX-License-Identifier: MIT
// session.js - a unit of work: reads, changes that wait for the commit, SQL, transactions. The library keeps the order
// of what is asked for, so nothing needs to be awaited one by one.
import {
  callable,
  fields,
  integer,
  model as checkModel,
  object,
  options,
  refuse,
  signal as checkSignal,
  text,
} from './check.js';
import { ClosedError, InvalidError } from './errors.js';
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

// --- the session -----------------------------------------------------------------------------------------------------

export class Session {
  #client;
  #handle;
  #added = []; // [object, record, description]: shown as they are stored after the commit
  #savepoints = 0;
  #inTransaction = false;

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
    return this.#client.request((_, tag) => start(handle, tag), map, signal, this, rows);
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
      this.#inTransaction = true;
    }
    return this.#request(
      (handle, tag) => native.session_query(handle, question, tag),
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
    else this.#inTransaction = true;
    return this.#request((handle, tag) => native.session_query(handle, question, tag), result, signal, rawObjects);
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
    const own = this.#inTransaction || this.#added.length ? undefined : this.#client.session();
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
    native.session_copy_all(this.#open, description.number, list);
    this.#inTransaction = true;
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
    this.#inTransaction = true;
    return record;
  }

  /** A task that is sent if and only if this session commits. */
  enqueue(task, args = [], given) {
    const { key = null } = options(given, ['key']);
    if (!Array.isArray(args)) refuse('args', 'an array', args);
    native.session_enqueue(this.#open, text(task, 'task'), JSON.stringify(args), key);
    this.#inTransaction = true;
  }

  // --- transactions --------------------------------------------------------------------------------------------------

  /** Writes what waits, without a commit: the number of rows touched. */
  async flush(given) {
    const { signal } = options(given, ['signal']);
    return this.#request(
      (handle, tag) => native.session_flush(handle, tag),
      (came, count) => count,
      signal,
    );
  }

  /** Writes what waits and commits, all or nothing: the number of rows touched by it. */
  async commit(given) {
    const { signal } = options(given, ['signal']);
    const added = this.#added;
    const committed = this.#request(
      (handle, tag) => native.session_commit(handle, tag),
      (came, count) => {
        for (const [made, record, description] of added) {
          Object.assign(made, description.make(native.record_values(record, description.bigs), 0));
        }
        return count;
      },
      signal,
    );
    this.#forget();
    try {
      return await committed;
    } catch (error) {
      if (this.#handle !== undefined && !this.#client.closed) native.session_rollback(this.#handle, 0);
      throw error;
    }
  }

  /** Forgets what waits and undoes what was done since the last commit. */
  async rollback(given) {
    const { signal } = options(given, ['signal']);
    this.#forget();
    return this.#request((handle, tag) => native.session_rollback(handle, tag), undefined, signal);
  }

  #forget() {
    this.#added = [];
    this.#savepoints = 0;
    this.#inTransaction = false;
  }

  /** Runs work(session) in a transaction: committed when it returns, rolled back when it throws. Within another one
   * it is a part that can be undone by itself (a savepoint). */
  async transaction(work, given) {
    callable(work, 'transaction');
    const {
      isolation = 'read committed',
      readOnly = false,
      deferrable = false,
      signal,
    } = options(given, ['isolation', 'readOnly', 'deferrable', 'signal']);
    checkSignal(signal);
    if (this.#inTransaction) return this.#part(work, signal);
    const flags = (readOnly ? native.READ_ONLY : 0) | (deferrable ? native.DEFERRABLE : 0);
    native.session_begin(this.#open, word(ISOLATION, isolation, 'isolation'), flags);
    this.#inTransaction = true;
    let answer;
    try {
      answer = await work(this);
      checkSignal(signal);
    } catch (error) {
      if (!this.closed && !this.#client.closed) await this.rollback().catch(() => {});
      throw error;
    }
    await this.commit({ signal });
    return answer;
  }

  async #part(work, signal) {
    const name = `shared_${++this.#savepoints}`;
    const mark = this.#added.length;
    native.session_savepoint(this.#open, name);
    let answer;
    try {
      answer = await work(this);
      checkSignal(signal);
      await this.flush({ signal });
    } catch (error) {
      this.#added.length = Math.min(this.#added.length, mark);
      if (!this.closed && !this.#client.closed) {
        await this.#request((handle, tag) => native.session_rollback_to(handle, name, tag)).catch(() => {});
      }
      throw error;
    }
    native.session_release(this.#open, name);
    return answer;
  }

  get closed() {
    return this.#handle === undefined;
  }

  /** Rolls back what is open. */
  async close() {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#forget();
    if (handle !== undefined) native.handle_close(handle);
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
