// SPDX-License-Identifier: MIT
// check.js - arguments as they must be, or an InvalidError that names the argument, the value and what is taken.
import { AbortError, InvalidError, SharedError } from './errors.js';
import { MODELS } from './models.js';

const SHOWN_MAX = 60;

/** A value fit for a message. */
export function show(value) {
  const words =
    typeof value === 'string'
      ? JSON.stringify(value)
      : typeof value === 'bigint'
        ? `${value}n`
        : value !== null && typeof value === 'object'
          ? `an object (${value.constructor?.name ?? 'null prototype'})`
          : String(value);
  return words.length > SHOWN_MAX ? `${words.slice(0, SHOWN_MAX)}...` : words;
}

export function refuse(what, taken, value) {
  throw new InvalidError(`${what}: ${taken}, not ${show(value)}`);
}

export function text(value, what) {
  return typeof value === 'string' ? value : refuse(what, 'a string', value);
}

export function object(value, what) {
  return value !== null && typeof value === 'object' ? value : refuse(what, 'an object', value);
}

export function callable(value, what) {
  return typeof value === 'function' ? value : refuse(what, 'a function', value);
}

export function integer(value, what, least, most) {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  return refuse(what, `a whole number from ${least} to ${most}`, value);
}

/** A value as JSON. */
export function json(value, what) {
  try {
    return JSON.stringify(value) ?? refuse(what, 'a value that JSON has', value);
  } catch (cause) {
    if (cause instanceof SharedError) throw cause;
    throw new InvalidError(`${what}: no JSON: ${cause.message}`, { cause });
  }
}

/** Options of a call: none but those that it knows. */
export function options(value, known, what = 'options') {
  if (value === undefined) return {};
  object(value, what);
  for (const name in value) {
    if (!known.includes(name))
      throw new InvalidError(`${what}: there is no ${show(name)}; there are ${known.join(', ')}`);
  }
  return value;
}

export function signal(value) {
  if (value === undefined) return undefined;
  if (!(value instanceof AbortSignal)) refuse('signal', 'an AbortSignal', value);
  if (value.aborted) throw new AbortError(value);
  return value;
}

export function model(name) {
  const found = typeof name === 'string' && Object.hasOwn(MODELS, name) ? MODELS[name] : undefined;
  return found ?? refuse('model', `one of ${Object.keys(MODELS).join(', ')}`, name);
}

/** The values of an object, in the order of its model's fields, onto a list. */
export function fields(list, description, values, what) {
  object(values, what);
  for (const name in values) {
    if (!description.known.has(name)) {
      throw new InvalidError(`${what}: there is no field ${show(name)}; there are ${description.fields.join(', ')}`);
    }
  }
  description.put(list, values);
}

for (const description of Object.values(MODELS)) description.known = new Set(description.fields);
