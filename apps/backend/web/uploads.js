// SPDX-License-Identifier: MIT
// The queue of files on their way to the server: a few at a time, progress of each, one pause for
// all when the server is busy. Each has its id from the start, so that one whose answer was lost is
// not stored twice. Never reads a file into memory; the browser streams it.
import { ApiError, detailOf, getDocument, uploadPath } from './backend.js';

/** @typedef {import('./backend.js').Document} Document */
/** @typedef {{id: string, file: File, caseId: string | null, state: 'waiting' | 'sending' | 'failed', sent: number,
 *   error: string, attempts: number, xhr: XMLHttpRequest | null, stallTimer: number}} Upload */
/** @typedef {{onChange: (upload: Upload) => void,
 *   onDone: (upload: Upload, document: Document) => void}} Listener */

const AT_ONCE_MAX = 2; // a browser opens six connections a host; the stream and reads need theirs
const ATTEMPTS_MAX = 6;
const STALL_MS = 60000; // nothing moved for so long: give up, the person can try again
const PAUSE_MS = 1500;
const PAUSE_MS_MAX = 30000;

export class Uploads {
  constructor() {
    /** @type {Set<Listener>} */
    this.listeners = new Set();
    /** @type {Upload[]} in order; what is done is taken out */
    this.all = [];
    this.sendingCount = 0;
    this.pauseTimer = 0;
  }

  /** @param {File[]} files @param {string | null} caseId @returns {Upload[]} */
  add(files, caseId) {
    const uploads = files.map(
      (file) =>
        /** @type {Upload} */ ({
          id: newId(),
          file,
          caseId,
          state: 'waiting',
          sent: 0,
          error: '',
          attempts: 0,
          xhr: null,
          stallTimer: 0,
        }),
    );
    this.all.push(...uploads);
    for (const upload of uploads) if (!upload.file.size) this.fail(upload, 'The file is empty.');
    this.pump();
    return uploads;
  }

  /** @param {Upload} upload */
  retry(upload) {
    if (upload.state !== 'failed') return;
    upload.attempts = 0;
    this.change(upload, { state: 'waiting', sent: 0, error: '' });
    this.pump();
  }

  /** Takes it out, whatever it is doing. @param {Upload} upload */
  remove(upload) {
    const index = this.all.indexOf(upload);
    if (index < 0) return;
    this.all.splice(index, 1);
    this.release(upload)?.abort();
    this.pump();
  }

  /** @param {string} caseId */
  removeOfCase(caseId) {
    for (const upload of this.all.filter((one) => one.caseId === caseId)) this.remove(upload);
  }

  get activeCount() {
    return this.all.filter((upload) => upload.state !== 'failed').length;
  }

  pump() {
    if (this.pauseTimer) return;
    for (const upload of this.all) {
      if (this.sendingCount >= AT_ONCE_MAX) return;
      if (upload.state === 'waiting') this.send(upload);
    }
  }

  /** @param {Upload} upload */
  send(upload) {
    const xhr = new XMLHttpRequest();
    const body = new FormData();
    body.append('id', upload.id);
    body.append('file', upload.file, upload.file.name);
    upload.xhr = xhr;
    upload.attempts++;
    this.sendingCount++;
    this.watchStall(upload);
    this.change(upload, { state: 'sending', sent: 0 });
    xhr.upload.onprogress = (event) => {
      this.watchStall(upload);
      // The body is a little longer than the file; the last bytes are the server's answer to wait for.
      if (event.lengthComputable) this.change(upload, { sent: event.loaded / event.total });
    };
    xhr.onload = () => this.finish(upload, xhr);
    xhr.onerror = () => this.finish(upload, xhr);
    xhr.open('POST', uploadPath(upload.caseId));
    xhr.setRequestHeader('Accept', 'application/json');
    xhr.send(body);
  }

  /** @param {Upload} upload @param {XMLHttpRequest} xhr */
  finish(upload, xhr) {
    if (upload.xhr !== xhr) return;
    this.release(upload);
    const document = xhr.status === 201 ? documentOf(xhr.responseText) : null;
    if (document) this.finishStored(upload, document);
    else if (xhr.status === 409) this.finishTaken(upload);
    else this.finishFailed(upload, errorOf(xhr));
    this.pump();
  }

  /** @param {Upload} upload @param {Document} document */
  finishStored(upload, document) {
    this.all.splice(this.all.indexOf(upload), 1);
    for (const listener of this.listeners) listener.onDone(upload, document);
  }

  /** The id is this upload's alone: an earlier try was stored, and only its answer was lost.
   * @param {Upload} upload */
  async finishTaken(upload) {
    try {
      const document = await getDocument(upload.id);
      if (this.all.includes(upload)) this.finishStored(upload, document);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.all.includes(upload)) this.finishFailed(upload, error);
    }
    this.pump();
  }

  /** @param {Upload} upload @param {ApiError} error */
  finishFailed(upload, error) {
    if (!error.passing || upload.attempts >= ATTEMPTS_MAX) {
      this.fail(
        upload,
        error.status ? error.message : 'The connection was lost while the file was being sent.',
      );
      return;
    }
    this.change(upload, { state: 'waiting', sent: 0 });
    this.pause(Math.min(error.retryAfterS * 1000 || PAUSE_MS * 2 ** (upload.attempts - 1), PAUSE_MS_MAX));
  }

  /** The server is busy or away: no file starts until the pause is over. @param {number} pauseMs */
  pause(pauseMs) {
    if (this.pauseTimer) return;
    this.pauseTimer = window.setTimeout(() => {
      this.pauseTimer = 0;
      this.pump();
    }, pauseMs);
  }

  /** @param {Upload} upload */
  watchStall(upload) {
    window.clearTimeout(upload.stallTimer);
    upload.stallTimer = window.setTimeout(() => {
      this.release(upload)?.abort();
      this.fail(upload, 'The connection stood still for a minute.');
      this.pump();
    }, STALL_MS);
  }

  /** Its request is over or no longer ours. @param {Upload} upload */
  release(upload) {
    const xhr = upload.xhr;
    if (xhr) this.sendingCount--;
    window.clearTimeout(upload.stallTimer);
    upload.xhr = null;
    return xhr;
  }

  /** @param {Upload} upload @param {string} error */
  fail(upload, error) {
    this.change(upload, { state: 'failed', sent: 0, error });
  }

  /** @param {Upload} upload @param {Partial<Upload>} values */
  change(upload, values) {
    Object.assign(upload, values);
    for (const listener of this.listeners) listener.onChange(upload);
  }
}

/** randomUUID is there only where the page came by HTTPS or from this machine. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {XMLHttpRequest} xhr */
function errorOf(xhr) {
  const retryAfterS = Number(xhr.getResponseHeader('Retry-After')) || 0;
  return new ApiError(xhr.status, detailOf(xhr.responseText), retryAfterS);
}

/** @param {string} text @returns {Document | null} */
function documentOf(text) {
  try {
    const document = JSON.parse(text);
    return typeof document?.id === 'string' ? document : null;
  } catch {
    return null;
  }
}
