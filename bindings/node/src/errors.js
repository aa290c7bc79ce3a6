// SPDX-License-Identifier: MIT
// errors.js - what went wrong, and whether trying again may help.
import native from './native.cjs';

const DOMAINS = ['', 'caller', 'system', 'postgres', 'redis', 'schema', 'task'];
const RETRYABLE = 2;

/** A failure. Texts are '' where nothing is known. */
export class SharedError extends Error {
  retryable = false;
  code = 'error';
  domain = '';
  sqlstate = '';
  detail = '';
  hint = '';
  operation = '';

  get name() {
    return this.constructor.name;
  }
}

export class PermanentError extends SharedError {
  code = 'permanent';
}

export class RetryableError extends SharedError {
  retryable = true;
  code = 'retryable';
}

export class InvalidError extends PermanentError {
  code = 'invalid';
}

export class NotFoundError extends PermanentError {
  code = 'not_found';
}

export class ConflictError extends PermanentError {
  code = 'conflict';
}

export class SchemaError extends PermanentError {
  code = 'schema';
  failures = [];
}

export class ForkedError extends PermanentError {
  code = 'forked';
}

export class VersionError extends PermanentError {
  code = 'version';
}

export class BusyError extends RetryableError {
  code = 'busy';
}

export class ClosedError extends RetryableError {
  code = 'closed';
}

export class RequestTimeoutError extends RetryableError {
  code = 'timeout';
}

export class RequestCancelledError extends RetryableError {
  code = 'cancelled';
}

/** Cancelled by a signal, whose reason is its cause. Its name is the one that fetch and others use. */
export class AbortError extends RequestCancelledError {
  constructor(signal) {
    super('the request was aborted', { cause: signal.reason });
  }

  get name() {
    return 'AbortError';
  }
}

export class OutcomeUnknownError extends RetryableError {
  code = 'unknown';
}

export class MemoryError extends RetryableError {
  code = 'memory';
}

export class TaskFailedError extends PermanentError {
  code = 'task_failed';
  kind = '';
}

// SHARED_E... -> its class. EREMOTE (-9) is what the server said: permanent or retryable by its own class.
const CLASSES = new Map([
  [-1, InvalidError],
  [-2, NotFoundError],
  [-3, ConflictError],
  [-4, BusyError],
  [-5, ClosedError],
  [-6, RequestTimeoutError],
  [-7, MemoryError],
  [-8, SchemaError],
  [-10, ForkedError],
  [-11, RequestCancelledError],
  [-12, OutcomeUnknownError],
]);

/** The error for one of the library; called by text.c. */
function makeError(kind, domain, code, sqlstate, message, detail, hint, operation) {
  const Class = CLASSES.get(code) ?? (kind === RETRYABLE ? RetryableError : PermanentError);
  const error = new Class(message);
  error.retryable = kind === RETRYABLE; // the table of the library decides, whatever its code
  error.domain = DOMAINS[domain] ?? '';
  Object.assign(error, { sqlstate, detail, hint, operation });
  if (error instanceof SchemaError) error.failures = JSON.parse(native.record_failures());
  return error;
}

native.setup(makeError);

const SQLSTATE = /^[0-9A-Z]{5}$/;

function isRetryable(error) {
  if (error === null || typeof error !== 'object') return false;
  if (error instanceof SharedError) return error.retryable;
  const state = [error.sqlstate, error.code].find((word) => typeof word === 'string' && SQLSTATE.test(word));
  if (state !== undefined && !(typeof error.errno === 'number')) {
    return native.classify_sqlstate(state) === RETRYABLE;
  }
  if (typeof error.errno === 'number') return native.classify_errno(Math.abs(error.errno)) === RETRYABLE;
  if (error.name === 'ReplyError') return native.classify_redis(String(error.message)) === RETRYABLE;
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isRetryable);
  return error.name === 'TimeoutError';
}

/** 'retryable' or 'permanent', for any error: ours, the system's, or one of pg, postgres.js or ioredis. */
export function classify(error) {
  return isRetryable(error) ? 'retryable' : 'permanent';
}
