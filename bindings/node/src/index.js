// SPDX-License-Identifier: MIT
// index.js - what the package has, in one list.
import { VersionError } from './errors.js';
import native from './native.cjs';

export { Client, connect } from './client.js';
export {
  AbortError,
  BusyError,
  ClosedError,
  ConflictError,
  ForkedError,
  InvalidError,
  MemoryError,
  NotFoundError,
  OutcomeUnknownError,
  PermanentError,
  RequestCancelledError,
  RequestTimeoutError,
  RetryableError,
  SchemaError,
  SharedError,
  TaskFailedError,
  VersionError,
  classify,
} from './errors.js';
export { Progress } from './progress.js';
export { Queue } from './queue.js';
export { Session } from './session.js';
export { Sql, sql } from './sql.js';
export { Timestamp } from './values.js';

export const version = native.version_text();

/** The versions of the libraries in this process, for a report of a fault. */
export function buildInfo() {
  return JSON.parse(native.build_info());
}

/** An older library lacks what is called here; one of another major version has changed it. */
function check(loaded, wanted) {
  if (loaded >= wanted && loaded >> 16 === wanted >> 16) return;
  const [needed, found] = [wanted, loaded].map((number) => [number >> 16, (number >> 8) & 255, number & 255].join('.'));
  throw new VersionError(`libshared: this binding was made for ${needed}, ${found} was loaded`);
}

check(native.version(), native.VERSION);
