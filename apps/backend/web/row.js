// SPDX-License-Identifier: MIT
// One line of the list of documents. Writes to the document tree once a frame and only what differs.
// Never decides anything: the list carries out what is clicked.
import { filePath } from './backend.js';
import { inFrame, setAttribute, setHidden, setText, stamp, find } from './dom.js';
import {
  countText,
  dateText,
  joinText,
  kindText,
  nameText,
  numberText,
  proseText,
  sentence,
  sizeText,
} from './format.js';

/** @typedef {import('./collection.js').Item} Item */
/** What a line says. @typedef {{state: string, label: string, note: string, percent: number}} Words */

/** @param {Item} item */
export const itemName = (item) =>
  nameText(item.upload?.file.name ?? item.document?.file_name, 'Unnamed file');

/** @param {Item} item @returns {Words} */
export function itemWords(item) {
  return item.upload ? uploadWords(item.upload) : documentWords(item);
}

/** @param {import('./uploads.js').Upload} upload @returns {Words} */
function uploadWords({ state, sent, file, error }) {
  const size = sizeText(file.size);
  if (state === 'failed') return { state: 'failed', label: 'Not uploaded', note: error, percent: 0 };
  if (state === 'waiting')
    return {
      state: 'waiting',
      label: 'Waiting',
      note: joinText(['Waiting to be uploaded', size]),
      percent: 0,
    };
  if (sent >= 1)
    return {
      state: 'uploading',
      label: 'Saving',
      note: joinText(['Waiting for the server to confirm', size]),
      percent: 100,
    };
  return {
    state: 'uploading',
    label: `${Math.floor(sent * 100)}%`,
    note: `Uploading ${sizeText(sent * file.size)} of ${size}`,
    percent: sent * 100,
  };
}

/** @param {Item} item @returns {Words} */
function documentWords(item) {
  const one = /** @type {import('./backend.js').Document} */ (item.document);
  const percent = Math.floor(item.percent);
  switch (one.extraction_status) {
    case 'completed':
      return { state: 'ready', label: 'Ready', note: documentMeta(one), percent: 100 };
    case 'failed':
      return {
        state: 'failed',
        label: 'Failed',
        note: sentence(one.error || 'The text could not be extracted'),
        percent,
      };
    case 'processing':
      return {
        state: 'active',
        label: `${percent}%`,
        note: proseText(item.note) || 'Extracting the text',
        percent,
      };
    default:
      return {
        state: 'waiting',
        label: 'Waiting',
        note: proseText(item.note) || 'Waiting for its turn',
        percent,
      };
  }
}

/** All its pages: page_count holds those that were read. @param {import('./backend.js').Document} one */
export const pageTotal = (one) => (one.page_count ? one.page_count + (one.pages_failed ?? 0) : 0);

/** @param {import('./backend.js').Document} one */
export function documentMeta(one) {
  const pages = pageTotal(one);
  return joinText([
    pages ? countText(pages, 'page') : '',
    one.pages_failed ? `${numberText(one.pages_failed)} could not be read` : '',
    sizeText(one.byte_size),
    dateText(one.created_at),
  ]);
}

export class Row {
  /** @param {Item} item */
  constructor(item) {
    this.item = item;
    this.node = stamp('t-row');
    this.parts = {
      kind: find('.kind', this.node),
      link: find('.row-name', this.node),
      name: find('bdi', this.node),
      note: find('.row-note', this.node),
      bar: find('progress', this.node),
      state: find('.row-state', this.node),
      retry: find('[data-action=retry]', this.node),
      file: find('[data-action=file]', this.node),
      drop: find('[data-action=delete]', this.node),
    };
    this.draw = () => this.write();
    this.write();
  }

  update() {
    inFrame(this.draw);
  }

  write() {
    const { item, parts } = this;
    const words = itemWords(item);
    const warned = words.state === 'ready' && Boolean(item.document?.pages_failed);
    setAttribute(this.node, 'data-state', warned ? 'warned' : words.state);
    setText(parts.note, words.note);
    setText(parts.state, words.label);
    const value = Math.round(words.percent * 10) / 10;
    if (parts.bar.value !== value) parts.bar.value = value;
    setHidden(parts.retry, words.state !== 'failed');
    const key = item.document?.id ?? '';
    if (this.key !== key) this.writeName(key);
  }

  /** What stays as it is once the document has its id. @param {string} id */
  writeName(id) {
    const { parts } = this;
    const name = itemName(this.item);
    this.key = id;
    setText(parts.name, name);
    setText(parts.kind, kindText(name));
    setAttribute(parts.link, 'title', name);
    setAttribute(parts.link, 'href', id ? `#/documents/${encodeURIComponent(id)}` : null);
    setAttribute(parts.bar, 'aria-label', `Progress of ${name}`);
    setAttribute(parts.retry, 'aria-label', `Retry ${name}`);
    setAttribute(parts.drop, 'aria-label', id ? `Delete ${name}` : `Do not upload ${name}`);
    setAttribute(parts.drop, 'title', id ? 'Delete the document' : 'Do not upload it');
    setHidden(parts.file, !id);
    setAttribute(parts.file, 'href', id ? filePath(id) : null);
    setAttribute(parts.file, 'aria-label', `Download ${name}`);
  }
}
