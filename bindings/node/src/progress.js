// SPDX-License-Identifier: MIT
// progress.js - how far documents are: what a worker says, and what a page hears.
import { integer, options, refuse, signal as checkSignal, text } from './check.js';
import native from './native.cjs';
import { Reading } from './reading.js';

const WAITING_MAX = 64; // messages that a slow reader has before it
const ALL_WAITING_MAX = 1000;
const PING_MS = 15000;

/** Of each document the newest of the messages that wait. */
function newest(events) {
  const byDocument = new Map();
  for (const event of events) {
    byDocument.delete(event[2]);
    byDocument.set(event[2], event);
  }
  return [...byDocument.values()];
}

function message([id, json, document]) {
  const made = JSON.parse(json);
  made.id ??= id;
  if (document) made.documentId = document;
  return made;
}

export class Progress {
  #client;

  /** @internal */
  constructor(client) {
    this.#client = client;
  }

  /** Says how far a document is: the number of listeners reached, 0 for one that a newer message has replaced. */
  async publish(documentId, progress, step, words = '', given) {
    const { signal } = options(given, ['signal']);
    text(documentId, 'documentId');
    integer(progress, 'progress', 0, 100);
    text(step, 'step');
    text(words, 'message');
    return this.#client.request(
      (handle, tag) => native.progress_publish(handle, documentId, progress, step, words, tag),
      (payload, count) => count,
      signal,
    );
  }

  /** Messages about a document, or about several: first what came after lastEventId, or the last known state. Ends
   * behind the final one. Listening begins with the first next(). */
  watch(documents, given) {
    const { lastEventId, signal } = options(given, ['lastEventId', 'signal']);
    if (Array.isArray(documents)) return this.#watchMany(documents, lastEventId ?? {}, signal);
    text(documents, 'documentId');
    if (lastEventId !== undefined && lastEventId !== null) text(lastEventId, 'lastEventId');
    return this.#messages(
      (handle, tag) => native.progress_subscribe(handle, documents, lastEventId || null, tag),
      signal,
    );
  }

  #watchMany(documents, lastEventIds, signal) {
    if (documents.length === 0) refuse('documents', 'at least one id', documents);
    const pairs = documents.flatMap((id) => [text(id, 'documents'), lastEventIds[id] ?? null]);
    return this.#messages((handle, tag) => native.progress_subscribe_many(handle, pairs, tag), signal);
  }

  /** What is said from now on about any document. */
  watchAll(given) {
    const { signal } = options(given, ['signal']);
    return this.#messages((handle, tag) => native.progress_subscribe_all(handle, tag), signal, ALL_WAITING_MAX);
  }

  /** What is wrong already is said at once. */
  #messages(start, signal, most = WAITING_MAX) {
    checkSignal(signal);
    const client = this.#client;
    void client.handle;
    return messages(() => client.stream(start, { kind: native.EVENT_PROGRESS, signal, most, squeeze: newest }));
  }

  /** The same as text for a browser's EventSource, with a comment each 15 s that keeps the connection alive. */
  sse(documents, given) {
    const events = this.watch(documents, given);
    let next;
    const pull = async () => {
      next ??= events.next();
      const answer = await within(next, PING_MS);
      if (answer === undefined) return { value: ': ping\n\n', done: false };
      next = undefined;
      return answer.done ? answer : { value: eventText(answer.value), done: false };
    };
    return new Reading(pull, () => events.return());
  }
}

function eventText(event) {
  return `${event.id ? `id: ${event.id}\n` : ''}data: ${JSON.stringify(event)}\n\n`;
}

/** What open() gives, as messages; opened by the first next(). */
function messages(open) {
  let stream;
  const pull = async () => {
    stream ??= open();
    const answer = await stream.next();
    return answer.done ? answer : { value: message(answer.value), done: false };
  };
  return new Reading(pull, () => stream?.return());
}

/** What the promise gives, or undefined after so long. */
async function within(promise, milliseconds) {
  let timer;
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
