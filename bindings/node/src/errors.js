// SPDX-License-Identifier: MIT
// errors.js - what went wrong, and whether trying again may help.
import native from './native.cjs';
import os from 'node:os';

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
const CAUSES_MAX = 8; // an error may be its own cause

// What says that a server, or the way to it, is away for now: an error's code, or its name, or where a driver gives it
// neither its message.
const AWAY = new Set([
  ...['EAI_AGAIN', 'ETIMEOUT', 'TimeoutError'], // Node
  ...['UND_ERR_SOCKET', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED'], // fetch
  ...['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'],
  ...['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECTION_ENDED', 'CONNECT_TIMEOUT'], // postgres.js
  ...['MaxRetriesPerRequestError', 'ClusterAllFailedError'], // ioredis
  ...['Connection is closed.', 'Command timed out', 'Command aborted due to connection close'],
  ...['Connection terminated', 'Connection terminated unexpectedly', 'timeout expired'], // pg
  ...['Connection terminated due to connection timeout', 'timeout exceeded when trying to connect'],
  ...['Client has encountered a connection error and is not queryable', 'Query read timeout'],
]);

/** What the error itself says of it, undefined when it says nothing. */
function verdict(error) {
  if (error instanceof SharedError) return error.retryable;
  if ([error.code, error.name, error.message].some((word) => AWAY.has(word))) return true;
  const number = os.constants.errno[error.code] ?? error.errno; // some have a code only
  if (typeof number === 'number') return native.classify_errno(Math.abs(number)) === RETRYABLE;
  const state = [error.sqlstate, error.code].find((word) => typeof word === 'string' && SQLSTATE.test(word));
  if (state !== undefined) return native.classify_sqlstate(state) === RETRYABLE;
  if (error.name === 'ReplyError') return native.classify_redis(String(error.message)) === RETRYABLE;
  return undefined;
}

function isRetryable(error, depth = 0) {
  if (error === null || typeof error !== 'object' || depth > CAUSES_MAX) return false;
  const said = verdict(error);
  if (said !== undefined) return said;
  const within = (other) => isRetryable(other, depth + 1);
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(within);
  return within(error.cause);
}

/** 'retryable' or 'permanent', for any error: ours, the system's, or one of fetch, pg, postgres.js or ioredis; of one
 * that says nothing its cause decides. */
export function classify(error) {
  return isRetryable(error) ? 'retryable' : 'permanent';
}
