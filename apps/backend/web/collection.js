// SPDX-License-Identifier: MIT
// The documents of the open case (or those of none) and what is being uploaded to it, kept right by
// one live stream, by reading a row again when the stream says it ended, and by reading the list
// again when the page was asleep. The row is the truth; an event only moves the bar.
// Never touches the document tree: views listen.
import * as api from './backend.js';
import { timeOf } from './format.js';
import { Stream } from './stream.js';

/** @typedef {import('./backend.js').Document} Document */
/** @typedef {import('./uploads.js').Upload} Upload */
/** One line of the list: a document, or an upload that becomes one.
 * @typedef {{document: Document | null, upload: Upload | null, time: number, percent: number, note: string,
 *   heardAt: number}} Item */
/** @typedef {{onItem: (item: Item) => void, onItems: () => void, onState: () => void,
 *   onOutcome?: (item: Item) => void}} Listener */

const DOCUMENTS_MAX = 1000; // read at once; the rest on demand
const STREAM_DOCUMENTS_MAX = 100; // GET /progress takes 200; this many fit every proxy's longest address
const REREAD_MS = 40; // collects the ends of many documents into one reading
const REREAD_ONE_BY_ONE_MAX = 8; // above it one reading of the list is cheaper
const SILENCE_MS = 20000; // an unfinished document unheard of for so long is read again
const CHECK_MS = 5000;
const REFRESH_MS = 60000; // what others did shows up at least this often
const HIDDEN_MS = 60000; // a hidden page gives its connection back after that

export const isActive = (/** @type {Item} */ item) =>
  item.upload
    ? item.upload.state !== 'failed'
    : item.document?.extraction_status === 'pending' || item.document?.extraction_status === 'processing';
export const isFailed = (/** @type {Item} */ item) =>
  item.upload ? item.upload.state === 'failed' : item.document?.extraction_status === 'failed';

export class Collection {
  /** @param {string | null} caseId @param {import('./uploads.js').Uploads} uploads */
  constructor(caseId, uploads) {
    this.caseId = caseId;
    this.uploads = uploads;
    /** @type {Map<string, Item>} by document id */
    this.documents = new Map();
    /** @type {Map<Upload, Item>} */
    this.uploading = new Map();
    /** @type {Set<Listener>} */
    this.listeners = new Set();
    /** @type {'loading' | 'ready' | 'failed'} */
    this.state = 'loading';
    this.error = '';
    /** @type {'off' | 'joining' | 'live'} */
    this.live = 'off';
    /** @type {string | null} */
    this.next = null;
    this.max = DOCUMENTS_MAX;
    /** @type {Set<string>} documents that the stream's path names */
    this.followed = new Set();
    /** @type {Set<string>} */
    this.stale = new Set();
    this.rereadTimer = 0;
    this.hiddenTimer = 0;
    this.refreshedAt = 0;
    /** @type {Promise<void> | null} */
    this.refreshing = null;
    this.refreshAgain = false;
    this.over = new AbortController();
    this.stream = new Stream({
      onEvent: (data) => this.hear(data),
      onState: (live) => this.setLive(live),
      onEnd: () => this.refresh(),
    });
  }

  /** Reads the list and begins to follow it. */
  async open() {
    const { signal } = this.over;
    /** @type {import('./uploads.js').Listener} */
    const listener = {
      onChange: (upload) => this.changeUpload(upload),
      onDone: (upload, document) => this.finishUpload(upload, document),
    };
    this.uploads.listeners.add(listener);
    signal.addEventListener('abort', () => this.uploads.listeners.delete(listener));
    this.showUploads(this.uploads.all.filter((upload) => upload.caseId === this.caseId));
    document.addEventListener('visibilitychange', () => this.onVisibility(), { signal });
    window.addEventListener('online', () => this.refresh(), { signal });
    window.addEventListener(
      'pageshow',
      (event) => {
        if (event.persisted) this.refresh();
      },
      { signal },
    );
    const timer = window.setInterval(() => this.check(), CHECK_MS);
    signal.addEventListener('abort', () => window.clearInterval(timer));
    await this.refresh();
  }

  close() {
    this.over.abort();
    window.clearTimeout(this.rereadTimer);
    window.clearTimeout(this.hiddenTimer);
    this.stream.close();
    this.listeners.clear();
  }

  /** Everything to show, newest first. @returns {Item[]} */
  get items() {
    return [...this.uploading.values(), ...this.documents.values()].sort((a, b) => b.time - a.time);
  }

  /** @param {(listener: Listener) => void} call */
  tell(call) {
    for (const listener of this.listeners) call(listener);
  }

  // ---- the list -------------------------------------------------------------------------------

  /** Reads the list again; asked for while it is being read, it is read once more after that. */
  refresh() {
    if (this.over.signal.aborted) return Promise.resolve();
    if (this.refreshing) {
      this.refreshAgain = true;
      return this.refreshing;
    }
    this.refreshing = this.readList().finally(() => {
      this.refreshing = null;
      if (this.refreshAgain) {
        this.refreshAgain = false;
        this.refresh();
      }
    });
    return this.refreshing;
  }

  async readList() {
    const startedAt = Date.now();
    this.refreshedAt = startedAt;
    try {
      const page = await api.listDocuments(this.caseId, this.max);
      if (this.over.signal.aborted) return;
      this.next = page.next;
      this.takeList(page.items, startedAt);
      this.state = 'ready';
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (this.over.signal.aborted) return;
      this.error = error.message;
      if (this.state === 'loading') this.state = 'failed';
    }
    this.tell((listener) => listener.onItems());
    this.followStream();
  }

  showMore() {
    this.max += DOCUMENTS_MAX;
    return this.refresh();
  }

  /** @param {Document[]} documents @param {number} startedAt */
  takeList(documents, startedAt) {
    const present = new Set(documents.map((one) => one.id));
    for (const [id, item] of this.documents) {
      // Missing also means: it came to be while the list was read, or lies behind its cut.
      if (!present.has(id) && item.heardAt < startedAt && this.next === null) this.documents.delete(id);
    }
    for (const one of documents) {
      // What was heard since is newer than this list.
      if ((this.documents.get(one.id)?.heardAt ?? 0) < startedAt) this.takeDocument(one);
    }
  }

  /** Puts a row as just read into its item, or makes one. @param {Document} one @returns {Item} */
  takeDocument(one) {
    let item = this.documents.get(one.id);
    if (!item) {
      item = { document: one, upload: null, time: timeOf(one.created_at), percent: 0, note: '', heardAt: 0 };
      this.documents.set(one.id, item);
    }
    const before = item.document;
    const restarted =
      before && before.extraction_status !== one.extraction_status && one.extraction_status === 'pending';
    item.document = one;
    if (one.extraction_status === 'completed') item.percent = 100;
    else if (restarted) Object.assign(item, { percent: 0, note: '' });
    if (before && before.extraction_status !== one.extraction_status && !isActive(item)) {
      this.tell((listener) => listener.onOutcome?.(/** @type {Item} */ (item)));
    }
    return item;
  }

  /** Reads the documents again whose fate an event has told. @param {string} id */
  reread(id) {
    this.stale.add(id);
    if (!this.rereadTimer) this.rereadTimer = window.setTimeout(() => this.rereadStale(), REREAD_MS);
  }

  async rereadStale() {
    const ids = [...this.stale];
    this.stale.clear();
    this.rereadTimer = 0;
    if (ids.length > REREAD_ONE_BY_ONE_MAX) return void this.refresh();
    await Promise.all(ids.map((id) => this.readOne(id)));
    this.followStream();
  }

  /** @param {string} id */
  async readOne(id) {
    try {
      const one = await api.getDocument(id);
      if (this.over.signal.aborted || (one.case_id ?? null) !== this.caseId) return;
      const known = this.documents.has(id);
      const item = this.takeDocument(one);
      item.heardAt = Date.now();
      this.tell((listener) => (known ? listener.onItem(item) : listener.onItems()));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (error.status === 404) this.forget(id); // otherwise: check() reads it again
    }
  }

  /** @param {string} id */
  forget(id) {
    if (this.documents.delete(id)) this.tell((listener) => listener.onItems());
    this.followStream();
  }

  // ---- live -----------------------------------------------------------------------------------

  /** A stream is wanted while something is under way; it is one for the whole case. */
  followStream() {
    if (this.over.signal.aborted) return;
    const active = [...this.documents.values()].filter(isActive);
    if (!active.length || (document.hidden && !this.hiddenTimer)) return this.stream.follow(null);
    if (this.caseId !== null) return this.stream.follow(api.caseStreamPath(this.caseId));
    const ids = active
      .slice(0, STREAM_DOCUMENTS_MAX)
      .map((item) => /** @type {Document} */ (item.document).id);
    // A path that names all of them already stays: a new one for each document that ends would flap.
    if (this.stream.path === null || !ids.every((id) => this.followed.has(id))) {
      this.followed = new Set(ids.sort());
      return this.stream.follow(api.documentsStreamPath([...this.followed]));
    }
    this.stream.follow(this.stream.path);
  }

  /** @param {'off' | 'joining' | 'live'} live */
  setLive(live) {
    if (this.live === live) return;
    this.live = live;
    this.tell((listener) => listener.onState());
  }

  /** @param {{document_id?: string, progress?: number, step?: string, message?: string,
   *   final?: boolean}} data */
  hear(data) {
    if (typeof data.document_id !== 'string') return;
    const item = this.documents.get(data.document_id);
    // Ended, or not known here, or moving although it had ended: the row tells.
    if (!item || data.final || data.step === 'completed' || data.step === 'failed' || !isActive(item)) {
      return this.reread(data.document_id);
    }
    item.heardAt = Date.now();
    if (Number.isFinite(data.progress)) item.percent = Math.min(Math.max(Number(data.progress), 0), 100);
    if (data.message) item.note = String(data.message);
    // "starting" at nothing may also mean that it still waits for a worker: the message says which.
    const begun = item.percent > 0 || (data.step && data.step !== 'starting');
    if (begun && item.document?.extraction_status === 'pending') {
      item.document = { ...item.document, extraction_status: 'processing' };
    }
    this.tell((listener) => listener.onItem(item));
  }

  /** The net under the stream: what should have moved by now is read again. */
  check() {
    if (document.hidden) return;
    const now = Date.now();
    const active = [...this.documents.values()].filter(isActive);
    const silent = active.some((item) => now - item.heardAt > SILENCE_MS);
    if (now - this.refreshedAt > (silent ? SILENCE_MS : REFRESH_MS) || this.state === 'failed')
      this.refresh();
  }

  onVisibility() {
    window.clearTimeout(this.hiddenTimer);
    this.hiddenTimer = 0;
    if (!document.hidden) return void this.refresh();
    this.hiddenTimer = window.setTimeout(() => {
      this.hiddenTimer = 0;
      this.followStream();
    }, HIDDEN_MS);
  }

  // ---- what the person does -------------------------------------------------------------------

  /** @param {File[]} files */
  upload(files) {
    const uploads = this.uploads.add(files, this.caseId);
    this.showUploads(uploads);
    this.tell((listener) => listener.onItems());
  }

  /** @param {Upload[]} uploads */
  showUploads(uploads) {
    const now = Date.now();
    uploads.forEach((upload, index) => {
      if (this.uploading.has(upload)) return;
      // A thousandth apart keeps the order in which they were chosen.
      const time = now + (uploads.length - index) / 1000;
      this.uploading.set(upload, { document: null, upload, time, percent: 0, note: '', heardAt: now });
    });
  }

  /** @param {Upload} upload */
  changeUpload(upload) {
    const item = this.uploading.get(upload);
    if (item) this.tell((listener) => listener.onItem(item));
  }

  /** The upload's line becomes the document's. @param {Upload} upload @param {Document} one */
  finishUpload(upload, one) {
    const item = this.uploading.get(upload);
    if (!item) return;
    this.uploading.delete(upload);
    if (this.documents.has(one.id)) return this.tell((listener) => listener.onItems());
    Object.assign(item, { document: one, upload: null, percent: 0, note: '', heardAt: Date.now() });
    this.documents.set(one.id, item);
    this.tell((listener) => listener.onItem(item));
    this.followStream();
  }

  /** Sends the file or extracts the document once more. @param {Item} item */
  async retry(item) {
    if (item.upload) return this.uploads.retry(item.upload);
    const { id } = /** @type {Document} */ (item.document);
    const answer = await api.extractDocument(id);
    const one = answer?.extraction_status ? answer : await api.getDocument(id);
    Object.assign(item, { percent: 0, note: '', heardAt: Date.now() });
    this.takeDocument(one);
    this.tell((listener) => listener.onItem(item));
    this.followStream();
  }

  /** @param {Item} item */
  async remove(item) {
    if (item.upload) {
      this.uploads.remove(item.upload);
      this.uploading.delete(item.upload);
      return this.tell((listener) => listener.onItems());
    }
    const { id } = /** @type {Document} */ (item.document);
    try {
      await api.deleteDocument(id);
    } catch (error) {
      if (!(error instanceof api.ApiError && error.status === 404)) throw error;
    }
    this.forget(id);
  }
}
