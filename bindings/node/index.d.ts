// SPDX-License-Identifier: MIT
// index.d.ts - the whole of @lex-intel/shared as TypeScript sees it.
import type { Keys, Models, NewModels } from './models.js';

export type {
  Case, Document, DocumentChunk, DocumentPage, Keys, Models, NewCase, NewDocument, NewDocumentChunk, NewDocumentPage,
  NewModels,
} from './models.js';

/** What every call that goes to a server takes. */
export interface Abortable {
  /** Cancels the request: it is rejected with an AbortError, unless it had ended before. */
  signal?: AbortSignal | undefined;
}

// --- the client ------------------------------------------------------------------------------------------------------

/** Settings by name, as `databaseUrl` for DATABASE_URL; docs/config.md lists them. */
export interface Settings {
  databaseUrl?: string | URL | undefined;
  redisUrl?: string | URL | undefined;
  queueName?: string | undefined;
  poolSize?: number | undefined;
  [setting: string]: string | number | bigint | boolean | URL | undefined;
}

/** A client with the settings of the environment, and these. Connections are opened when they are first needed;
 * `ping()` opens both. */
export function connect(settings?: Settings): Promise<Client>;

/** One connection to everything, on the event loop of the thread that made it. */
export class Client {
  private constructor(settings: Settings);
  readonly closed: boolean;
  readonly progress: Progress;
  readonly queue: Queue;
  /** A unit of work on the database. Costs nothing until it must. */
  session(): Session;
  /** Both servers answer, or the error names the one that does not. */
  ping(options?: Abortable): Promise<void>;
  /** Ends what is open: requests under way are rejected with ClosedError, transactions roll back. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

// --- the session -----------------------------------------------------------------------------------------------------

/** A piece of SQL whose values stand apart from its text. */
export class Sql {
  private constructor(parts: string[], values: unknown[]);
  /** With $1, $2, ... where the values stand. */
  readonly text: string;
}

/** An object that is no collection, function or promise: its properties are JSON, or what its toJSON() gives. */
export type JsonObject =
  | { readonly [name: string]: unknown }
  | object & { readonly [Symbol.iterator]?: never; readonly call?: never; readonly then?: never };

/** What may stand in a template: null is NULL, a plain object or one with toJSON() is JSON, bytes are bytea, arrays are
 * text[] or bigint[]. */
export type Value =
  | string | number | bigint | boolean | null | Date | ArrayBufferView | ArrayBuffer
  | readonly (string | null)[] | readonly (number | bigint)[] | Sql | JsonObject;

export interface SqlTag {
  /** A piece that goes into query() and others, or into another piece. */
  (strings: TemplateStringsArray, ...values: Value[]): Sql;
  /** A text as it stands: never one with a value of somebody else's in it. */
  raw(text: string): Sql;
  /** A name of a table or column, quoted. */
  identifier(name: string): Sql;
  /** Any value as JSON, arrays too. */
  json(value: unknown): Sql;
}
export const sql: SqlTag;

/** A row of SQL: int8 is a bigint, numeric a string (exact), timestamptz a Timestamp, date a string, bytea a Buffer;
 * arrays of texts and integers are arrays, of arrays where they have several dimensions, all others a string. */
export type Row = Record<string, unknown>;
/** Rows, and how many the statement touched. */
export type Result<T = Row> = T[] & { readonly count: number };

export interface QueryOptions extends Abortable {
  /** Says that it only reads: an idle session runs it on a shared connection, without a transaction. */
  readOnly?: boolean | undefined;
}

export interface StreamOptions extends Abortable {
  /** Rows that are fetched at a time, 500 without it; twice as many are held at most. */
  rowsPerBatch?: number | undefined;
}

export interface SelectOptions<Model> extends Abortable {
  /** Fields, each with ASC or DESC: 'createdAt DESC, id'. The key is put behind them. */
  orderBy?: string | undefined;
  limit?: number | undefined;
  /** The rows that come behind this one: the next page. */
  after?: Model | undefined;
  /** The rows are locked until the transaction ends, which the call opens. */
  lock?: 'update' | 'no key update' | 'share' | 'key share' | undefined;
  /** What becomes of rows that others have locked. */
  wait?: 'wait' | 'nowait' | 'skip locked' | undefined;
}

export interface TransactionOptions extends Abortable {
  isolation?: 'read committed' | 'repeatable read' | 'serializable' | undefined;
  readOnly?: boolean | undefined;
  deferrable?: boolean | undefined;
}

/** A unit of work: reads share a few connections, changes wait for the commit. Calls may overlap: they run in order. */
export class Session {
  private constructor(client: Client);
  readonly closed: boolean;
  /** The row of that key, or null. */
  get<N extends keyof Models>(model: N, key: Keys[N], options?: Abortable): Promise<Models[N] | null>;
  /** The rows of these keys, in their order; one that is not there is left out. */
  getMany<N extends keyof Models>(model: N, keys: readonly string[], options?: Abortable): Promise<Models[N][]>;
  /** Rows of a model: `where` is what stands behind WHERE, or undefined for all. */
  select<N extends keyof Models>(model: N, where?: Sql, options?: SelectOptions<Models[N]>): Promise<Models[N][]>;
  /** Inserted at the next flush, which each read, query and commit begins with. What comes back has the key now, and
   * after the commit all that the database filled in. */
  add<N extends keyof Models>(model: N, values: NewModels[N]): Models[N];
  /** Many rows as one statement; what the database fills in is not read back. */
  addMany<N extends keyof Models>(model: N, rows: readonly NewModels[N][]): void;
  /** The fields that are given are written at the next flush; the key says of which row. */
  update<N extends keyof Models>(model: N, values: Partial<NewModels[N]>): void;
  /** The row goes at the next flush. */
  delete<N extends keyof Models>(model: N, key: Keys[N] | Models[N]): void;
  /** A task that is stored if and only if this session commits; then a `client.queue.relay()` sends it. `key` names the
   * thing that it is about. */
  enqueue(task: string, args?: readonly unknown[], options?: { key?: string | undefined }): void;
  /** session.query`SELECT ... ${value}`: a statement in the session's transaction. */
  query<T = Row>(strings: TemplateStringsArray, ...values: Value[]): Promise<Result<T>>;
  query<T = Row>(statement: Sql, options?: QueryOptions): Promise<Result<T>>;
  /** Rows one by one, in bounded memory: more are fetched only when the reader has come so far. */
  stream<T = Row>(strings: TemplateStringsArray, ...values: Value[]): AsyncGenerator<T, void, undefined>;
  stream<T = Row>(statement: Sql, options?: StreamOptions): AsyncGenerator<T, void, undefined>;
  /** Runs work in a transaction: committed when it returns, rolled back when it throws. What is open already or waits
   * belongs to it, and goes the same way. Called in the work of another one it is a part that can be undone by itself;
   * those that overlap run one by one. The signal cancels what was asked for in it and refuses the rest, but does not
   * stop the work itself. Other options are an InvalidError where a transaction is open or changes wait. */
  transaction<T>(work: (session: this) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
  /** Writes what waits, without a commit: how many rows it touched. */
  flush(options?: Abortable): Promise<number>;
  /** Writes what waits and commits, all or nothing: how many rows it touched. One that was sent and failed has undone
   * it all and forgotten what waited: make the changes again. Asked for again without any it is an InvalidError, whose
   * cause is that failure, until rollback(). One that was not sent (its signal was aborted before) changes nothing. */
  commit(options?: Abortable): Promise<number>;
  /** Forgets what waits and undoes what was done since the last commit. */
  rollback(options?: Abortable): Promise<void>;
  /** Cancels what is under way and rolls back what is open: when it returns the server has, and locks are free. A
   * commit or rollback that is under way is waited for. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A Date that keeps the microseconds which PostgreSQL has and Date has not. */
export class Timestamp extends Date {
  /** As Date takes it; a bigint is microseconds since 1970. */
  constructor(value?: number | string | Date | bigint);
  /** Microseconds within its millisecond, 0 to 999. */
  microseconds: number;
  /** Microseconds since 1970, exact. */
  toMicroseconds(): bigint;
}

// --- progress --------------------------------------------------------------------------------------------------------

export type Step = 'starting' | 'extracting' | 'chunking' | 'storing' | 'completed' | 'failed' | (string & {});

/** What a worker says and a page hears. */
export interface ProgressEvent {
  /** Percent. */
  progress: number;
  step: Step;
  message: string;
  /** For `lastEventId`. */
  id: string;
  /** The last one of a run. */
  final?: boolean;
  /** false: `lastEventId` is no longer known, and this is the present state. */
  replayed?: boolean;
  /** Where several documents are watched: which one. */
  documentId?: string;
}

export interface WatchOptions extends Abortable {
  /** The id of the last message that was seen: what came after it is told first. */
  lastEventId?: string | null | undefined;
}

export interface WatchManyOptions extends Abortable {
  /** Of each document the id of the last message that was seen. */
  lastEventId?: { readonly [documentId: string]: string } | undefined;
}

export class Progress {
  private constructor(client: Client);
  /** Says how far a document is, 0 to 100: how many listeners heard it, 0 when a newer message has replaced it. */
  publish(documentId: string, progress: number, step: Step, message?: string, options?: Abortable): Promise<number>;
  /** First what came after `lastEventId`, or the last known state; then what happens. Ends behind the final message.
   * A reader that is slow gets the newest state. NotFoundError when there is no such document. */
  watch(documentId: string, options?: WatchOptions): AsyncGenerator<ProgressEvent, void, undefined>;
  watch(documentIds: readonly string[], options?: WatchManyOptions): AsyncGenerator<ProgressEvent, void, undefined>;
  /** What is said from now on about any document. */
  watchAll(options?: Abortable): AsyncGenerator<ProgressEvent, void, undefined>;
  /** The same as text for a browser's EventSource, with a comment each 15 s that keeps the connection alive. */
  sse(documentId: string, options?: WatchOptions): AsyncGenerator<string, void, undefined>;
  sse(documentIds: readonly string[], options?: WatchManyOptions): AsyncGenerator<string, void, undefined>;
}

// --- the queue -------------------------------------------------------------------------------------------------------

export interface SendOptions extends Abortable {
  queue?: string | undefined;
  kwargs?: { readonly [name: string]: unknown } | undefined;
  /** An id of your own. */
  id?: string | undefined;
  /** What the task is about. */
  key?: string | undefined;
  countdownMs?: number | undefined;
  /** Not before this moment. */
  eta?: Date | undefined;
  /** Not after this moment. */
  expires?: Date | undefined;
  expiresMs?: number | undefined;
  /** 0 (first) to 9. */
  priority?: number | undefined;
  softTimeLimitMs?: number | undefined;
  timeLimitMs?: number | undefined;
  ignoreResult?: boolean | undefined;
}

export interface Task<Args extends unknown[] = any[]> {
  readonly id: string;
  readonly name: string;
  readonly args: Args;
  readonly kwargs: Record<string, any>;
  /** How many retries came before. */
  readonly attempt: number;
  /** A retryable failure now would be the last one. */
  readonly isLast: boolean;
  readonly isRedelivered: boolean;
  readonly queue: string;
  /** Aborted when a shutdown takes no longer: the task has gone back to the queue. */
  readonly signal: AbortSignal;
}

/** What it returns is the result, as JSON; what has none fails the task. A PermanentError fails it, a RetryableError
 * retries it after 60, 120, 240 and 480 s; of other errors classify() decides. */
export type Handler<Args extends unknown[] = any[]> = (task: Task<Args>) => unknown;

export interface WorkOptions extends Abortable {
  queue?: string | undefined;
  /** How many tasks run at a time, 10 without it. */
  concurrency?: number | undefined;
  /** How long tasks may go on after the signal; then they go back to the queue. WORKER_SHUTDOWN_S without it. */
  shutdownMs?: number | undefined;
}

export class Queue {
  private constructor(client: Client);
  /** Sends a task with these positional arguments: its id. For one that belongs to a commit: session.enqueue(). */
  send(task: string, args?: readonly unknown[], options?: SendOptions): Promise<string>;
  /** What the task returned. TaskFailedError: it failed; RequestTimeoutError: no result within timeoutMs (an hour). */
  result<T = any>(id: string, options?: Abortable & { timeoutMs?: number | undefined }): Promise<T>;
  stats(options?: Abortable & { queue?: string | undefined }):
    Promise<{ waiting: number; claimed: number; dead: number; outbox: number }>;
  /** Works on tasks until the signal: then it begins no more, and returns when what runs has ended. Several on one
   * queue share it: whoever claims a task, the one that has its handler does it, within its own concurrency. A task of
   * one that has ended goes back to the queue; one that none ever had is NotRegistered. */
  work<Args extends unknown[] = any[]>(task: string, handler: Handler<Args>, options?: WorkOptions): Promise<void>;
  work(handlers: { readonly [task: string]: Handler }, options?: WorkOptions): Promise<void>;
  /** Sends what sessions enqueued, until the signal: at once after each commit of this client, and every OUTBOX_SWEEP_S
   * what any other has left unsent. One a client; one must run somewhere, and lex-intel-backend and lex-intel-worker
   * have one too. */
  relay(options?: Abortable): Promise<void>;
}

// --- errors ----------------------------------------------------------------------------------------------------------

/** A failure. Texts are '' where nothing is known. */
export class SharedError extends Error {
  /** Whether the same call may succeed later, unchanged. */
  retryable: boolean;
  /** A stable word: invalid, not_found, conflict, busy, closed, timeout, schema, forked, cancelled, unknown, ... */
  code: string;
  /** Where it arose. */
  domain: '' | 'caller' | 'system' | 'postgres' | 'redis' | 'schema' | 'task';
  sqlstate: string;
  detail: string;
  /** What to do about it. */
  hint: string;
  /** The library's function that failed. */
  operation: string;
}
/** It will fail again until somebody changes something. */
export class PermanentError extends SharedError {}
/** The same call may succeed later, unchanged: a server went away, a deadlock, a full disk. */
export class RetryableError extends SharedError {}
/** An argument is not acceptable; the message names it, the value and the limit. */
export class InvalidError extends PermanentError {}
/** No such row, document or task. */
export class NotFoundError extends PermanentError {}
/** Unique, foreign key or fence: somebody else was first. */
export class ConflictError extends PermanentError {}
/** A record breaks rules of its model. */
export class SchemaError extends PermanentError {
  /** As in a 422 of FastAPI. */
  failures: { type: string; loc: string[]; msg: string; input: unknown; ctx?: Record<string, unknown> }[];
}
/** The client belongs to the parent process. */
export class ForkedError extends PermanentError {}
/** The library that was loaded is older than the one this binding was made for. */
export class VersionError extends PermanentError {}
/** The task ended in FAILURE or REVOKED. */
export class TaskFailedError extends PermanentError {
  /** Name of the exception that its worker had. */
  kind: string;
}
/** A bound is reached (requests in flight, connections); nothing was accepted. */
export class BusyError extends RetryableError {}
/** The connection, client or session ended before the answer. */
export class ClosedError extends RetryableError {}
/** The deadline passed. */
export class RequestTimeoutError extends RetryableError {}
/** The request was cancelled, or its session closed; a statement may have run. */
export class RequestCancelledError extends RetryableError {}
/** Cancelled by a signal, whose reason is `cause`. Its name is 'AbortError', as fetch has it. */
export class AbortError extends RequestCancelledError {
  constructor(signal: AbortSignal);
}
/** The answer to a COMMIT was lost: read again to learn the outcome. */
export class OutcomeUnknownError extends RetryableError {}
/** Out of memory. */
export class MemoryError extends RetryableError {}

/** Whether trying again may help, of any error: ours, the system's, or one of fetch, pg, postgres.js or ioredis; of one
 * that says nothing its cause decides. */
export function classify(error: unknown): 'retryable' | 'permanent';

/** Version of the library within. */
export const version: string;
/** The versions of the libraries in this process, for a report of a fault. */
export function buildInfo(): Record<string, string>;
