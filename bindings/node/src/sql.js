// SPDX-License-Identifier: MIT
// sql.js - SQL with its values apart from its text: a tagged template, never a text put together.
import { json, refuse, show, text } from './check.js';
import { InvalidError } from './errors.js';
import native from './native.cjs';
import { timeIn } from './values.js';

const T = {
  null: native.TYPE_NONE,
  text: native.TYPE_TEXT,
  int: native.TYPE_INT,
  float: native.TYPE_FLOAT,
  bool: native.TYPE_BOOL,
  time: native.TYPE_TIME,
  json: native.TYPE_JSON,
  bytes: native.TYPE_BYTES,
  texts: native.TYPE_TEXT_ARRAY,
  ints: native.TYPE_INT_ARRAY,
};

/** A piece of SQL: its text between the values, and the values as [type, value, ...]. */
export class Sql {
  #parts;
  #values;

  constructor(parts, values) {
    this.#parts = parts;
    this.#values = values;
  }

  /** With $1, $2, ... where the values stand. */
  get text() {
    return this.#parts.reduce((whole, part, place) => `${whole}$${place}${part}`);
  }

  get values() {
    return this.#values;
  }

  /** @internal */
  static parts(other) {
    return other.#parts;
  }
}

function listType(list, what) {
  const kinds = new Set(list.filter((entry) => entry !== null).map((entry) => typeof entry));
  if (kinds.size === 0 || (kinds.size === 1 && kinds.has('string'))) return T.texts;
  const whole = [...kinds].every((kind) => kind === 'bigint' || kind === 'number');
  if (whole && !list.includes(null)) return T.ints;
  return refuse(what, 'an array of strings, or of whole numbers without null', list);
}

function numberType(value, what) {
  if (!Number.isInteger(value)) return T.float;
  if (Number.isSafeInteger(value)) return T.int;
  throw new InvalidError(`${what}: ${value} is beyond 2^53 - 1, where a Number is exact: give a BigInt, or a string`);
}

function bindObject(values, value, what) {
  if (value === null) values.push(T.null, null);
  else if (value instanceof Date) values.push(T.time, timeIn(value));
  else if (Array.isArray(value)) values.push(listType(value, what), value);
  else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
    values.push(T.bytes, value);
  } else {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null && typeof value.toJSON !== 'function') {
      refuse(what, 'a value that SQL knows, a plain object (as JSON), or one with toJSON', value);
    }
    values.push(T.json, json(value, what));
  }
}

function bind(values, value) {
  const what = `value ${values.length / 2 + 1}`;
  switch (typeof value) {
    case 'string':
      return values.push(T.text, value);
    case 'number':
      return values.push(numberType(value, what), value);
    case 'bigint':
      return values.push(T.int, value);
    case 'boolean':
      return values.push(T.bool, value);
    case 'object':
      return bindObject(values, value, what);
    default:
      return refuse(what, 'a value that SQL knows (null for NULL)', value);
  }
}

function piece(strings, given) {
  const parts = [strings[0]];
  const values = [];
  given.forEach((value, place) => {
    if (value instanceof Sql) {
      const [first, ...rest] = Sql.parts(value);
      parts[parts.length - 1] += first;
      parts.push(...rest);
      values.push(...value.values);
      parts[parts.length - 1] += strings[place + 1];
    } else {
      bind(values, value);
      parts.push(strings[place + 1]);
    }
  });
  return new Sql(parts, values);
}

function isTemplate(value) {
  return Array.isArray(value) && Object.hasOwn(value, 'raw');
}

/** sql`id = ${id}`: a piece that goes into another, or into query() and others. */
export function sql(strings, ...values) {
  if (!isTemplate(strings)) {
    refuse('sql', 'a tagged template: sql`SELECT ... ${value}`; a text that has no values: sql.raw(text)', strings);
  }
  return piece(strings, values);
}

/** A text as it stands: never one with a value of somebody else's in it. */
sql.raw = (words) => new Sql([text(words, 'sql.raw')], []);

/** A name of a table or column, quoted. */
sql.identifier = (name) => new Sql([`"${text(name, 'sql.identifier').replaceAll('"', '""')}"`], []);

/** Any value as JSON, arrays too. */
sql.json = (value) => new Sql(['', ''], [T.json, json(value, 'sql.json')]);

/** What a function was called with, as a tag or with a piece: the piece, and the arguments behind it. */
export function statementOf(what, first, rest) {
  if (isTemplate(first)) return [piece(first, rest), undefined];
  if (first instanceof Sql) return [first, rest[0]];
  throw new InvalidError(`${what}: a tagged template (${what}\`SELECT ...\`) or sql\`...\`, not ${show(first)}`);
}

/** The library's query; of a model's rows its text is what stands behind WHERE. */
export function query(number, statement) {
  const made = native.query_new(number, statement.text);
  if (statement.values.length) native.query_bind_all(made, statement.values);
  return made;
}
