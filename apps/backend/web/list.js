// SPDX-License-Identifier: MIT
// The view of an open case: its head, its documents as lines, filters, drop and upload. Draws what
// the collection holds; a change of one document touches one line. Never talks to the server itself,
// but for the case's own title and deletion.
import * as api from './backend.js';
import { isActive, isFailed } from './collection.js';
import { ask, editCase } from './dialogs.js';
import {
  announce,
  find,
  inFrame,
  message,
  onAction,
  setAttribute,
  setHidden,
  setText,
  stamp,
  toast,
} from './dom.js';
import { countText, nameText, numberText, proseText } from './format.js';
import { acceptDrops } from './intake.js';
import { Row, itemName } from './row.js';

/** @typedef {import('./collection.js').Item} Item */
/** @typedef {import('./collection.js').Collection} Collection */

const UNFILED = { title: 'Unfiled documents', description: 'Documents that belong to no case.' };

/** @type {Record<string, (item: Item) => boolean>} */
const FILTERS = {
  all: () => true,
  active: isActive,
  failed: (item) => isFailed(item) || Boolean(item.document?.pages_failed),
  ready: (item) => item.document?.extraction_status === 'completed',
};

/** @type {Record<string, string>} */
const EMPTY = {
  active: 'Nothing is in progress.',
  failed: 'There are no problems.',
  ready: 'No document is ready yet.',
};

const LIVE_WORDS = { off: '', joining: 'Reconnecting', live: 'Live' };

export class ListView {
  /** @param {Collection} collection @param {api.Case | null} one the case; null: the unfiled
   * @param {{onCase: (one: api.Case) => void, onCaseGone: (id: string) => void}} listener */
  constructor(collection, one, listener) {
    this.collection = collection;
    this.case = one;
    this.listener = listener;
    this.filter = 'all';
    /** @type {Map<Item, Row>} */
    this.rows = new Map();
    this.node = stamp('t-list');
    this.list = find('.rows', this.node);
    this.input = find('input[type=file]', this.node);
    this.over = new AbortController();
    this.drawAll = () => this.write();
    this.drawCounts = () => this.writeCounts();
    this.listen();
    this.writeHead();
    this.write();
  }

  listen() {
    const { signal } = this.over;
    /** @type {import('./collection.js').Listener} */
    const listener = {
      onItem: (item) => this.updateItem(item),
      onItems: () => inFrame(this.drawAll),
      onState: () => inFrame(this.drawCounts),
    };
    this.collection.listeners.add(listener);
    signal.addEventListener('abort', () => this.collection.listeners.delete(listener));
    onAction(this.node, (action, target) => this.act(action, target));
    find('.filters', this.node).addEventListener('click', (/** @type {Event} */ event) => {
      const button = event.target instanceof Element ? event.target.closest('button') : null;
      if (button) this.choose(String(button.dataset.filter));
    });
    this.input.addEventListener('change', () => {
      this.take([...this.input.files], false);
      this.input.value = ''; // the same file may be chosen again
    });
    acceptDrops(find('#main'), (files, cut) => this.take(files, cut), signal);
  }

  close() {
    this.over.abort();
  }

  // ---- drawing --------------------------------------------------------------------------------

  writeHead() {
    const { title, description } = this.case ?? UNFILED;
    setText(find('h1 bdi', this.node), nameText(title));
    const lead = find('.lead', this.node);
    setText(lead, proseText(description));
    setHidden(lead, !description);
    setHidden(find('[data-action=edit]', this.node), !this.case);
    setHidden(find('[data-action=drop-case]', this.node), !this.case);
  }

  /** @param {Item} item */
  updateItem(item) {
    const row = this.rows.get(item);
    if (!row) return inFrame(this.drawAll);
    row.update();
    inFrame(this.drawCounts);
  }

  /** Brings the lines into the order of the items: new ones in, old ones out, the rest where they are. */
  write() {
    if (this.over.signal.aborted) return;
    const items = this.collection.items;
    const present = new Set(items);
    for (const [item, row] of this.rows) if (!present.has(item)) this.dropRow(item, row);
    const fresh = document.createDocumentFragment();
    let place = this.list.firstElementChild;
    for (const item of items) {
      const row = this.rows.get(item) ?? this.addRow(item);
      row.update();
      if (row.node !== place) {
        fresh.append(row.node);
        continue;
      }
      if (fresh.childElementCount) place.before(fresh);
      place = place.nextElementSibling;
    }
    this.list.append(fresh);
    this.writeCounts();
  }

  /** @param {Item} item */
  addRow(item) {
    const row = new Row(item);
    this.rows.set(item, row);
    return row;
  }

  /** @param {Item} item @param {Row} row */
  dropRow(item, row) {
    const hasFocus = row.node.contains(document.activeElement);
    const beside = row.node.nextElementSibling ?? row.node.previousElementSibling;
    row.node.remove();
    this.rows.delete(item);
    if (hasFocus) (beside?.querySelector('a[href]') ?? find('h1', this.node)).focus();
  }

  writeCounts() {
    const { collection, rows } = this;
    const items = [...rows.keys()];
    const shows = FILTERS[this.filter];
    let shown = 0;
    for (const [item, row] of rows) {
      const visible = shows(item);
      setHidden(row.node, !visible);
      if (visible) shown++;
    }
    for (const button of this.node.querySelectorAll('[data-filter]')) {
      const name = String(button.dataset.filter);
      const count = items.filter(FILTERS[name]).length;
      const more = collection.next !== null && count ? '+' : '';
      setText(find('b', button), collection.state === 'ready' ? numberText(count) + more : '');
      setAttribute(button, 'data-any', count ? 'yes' : null);
    }
    this.writeNotes(items.length, shown);
  }

  /** @param {number} count @param {number} shown */
  writeNotes(count, shown) {
    const { collection } = this;
    const note = find('.rows-note', this.node);
    const empty = !count && collection.state === 'ready';
    setAttribute(this.node, 'data-empty', empty ? 'yes' : null);
    setHidden(find('.bar-line', this.node), !count);
    setHidden(this.list, !count);
    const words = {
      loading: 'Loading the documents',
      failed: collection.error,
      ready: shown ? '' : (EMPTY[this.filter] ?? ''),
    };
    setText(note, count || collection.state !== 'ready' ? words[collection.state] : '');
    setHidden(note, !note.textContent);
    setHidden(find('[data-action=more]', this.node), collection.next === null);
    setHidden(find('.drop', this.node), collection.state !== 'ready');
    setHidden(find('.drop-title', this.node), !empty);
    setHidden(find('.drop .button', this.node), !empty);
    setText(
      find('.drop-hint', this.node),
      empty
        ? 'Drop files or a folder here. Their text is extracted page by page, and you can watch it happen.'
        : 'Drop more files anywhere on this page.',
    );
    const live = find('.live', this.node);
    setHidden(live, collection.live === 'off');
    setAttribute(live, 'data-live', collection.live);
    setText(find('.live-text', live), LIVE_WORDS[collection.live]);
  }

  /** Brings the line of a document into view and puts the keyboard there. @param {string} id */
  reveal(id) {
    const item = this.collection.documents.get(id);
    const row = item && this.rows.get(item);
    if (!row) return false;
    row.node.scrollIntoView({ block: 'center' });
    find('.row-name', row.node).focus({ preventScroll: true });
    return true;
  }

  // ---- what the person does -------------------------------------------------------------------

  /** @param {string} action @param {HTMLElement} target */
  act(action, target) {
    const node = target.closest('.row');
    const item = node && [...this.rows].find(([, row]) => row.node === node)?.[0];
    switch (action) {
      case 'upload':
        return this.input.click();
      case 'more':
        return void this.collection.showMore();
      case 'edit':
        return void this.edit();
      case 'drop-case':
        return void this.dropCase();
      case 'retry':
        return item && void retry(this.collection, item, target);
      case 'delete':
        return item && void remove(this.collection, item);
    }
  }

  /** @param {string} name */
  choose(name) {
    this.filter = name;
    for (const button of this.node.querySelectorAll('[data-filter]')) {
      setAttribute(button, 'aria-pressed', String(button.dataset.filter === name));
    }
    inFrame(this.drawCounts);
  }

  /** @param {File[]} files @param {boolean} cut */
  take(files, cut) {
    if (!files.length) return toast('There was no file in what was dropped.');
    if (cut) toast(`That is more than ${countText(files.length, 'file')} at once: the others are left out.`);
    if (!FILTERS[this.filter](/** @type {Item} */ ({ upload: { state: 'waiting' } }))) this.choose('all');
    this.collection.upload(files);
    announce(`Uploading ${countText(files.length, 'file')}`);
  }

  async edit() {
    const one = /** @type {api.Case} */ (this.case);
    await editCase({
      title: 'Edit the case',
      action: 'Save',
      values: one,
      submit: async (values) => {
        this.case = await api.updateCase(one.id, values);
        this.writeHead();
        this.listener.onCase(this.case);
      },
    });
  }

  async dropCase() {
    const one = /** @type {api.Case} */ (this.case);
    const count = this.rows.size;
    const all = countText(count, 'document') + (this.collection.next === null ? '' : ' or more');
    await ask({
      title: `Delete \u201C${nameText(one.title)}\u201D?`,
      text: count
        ? `The case has ${all}. Deleting it deletes their files and texts too. This cannot be undone.`
        : 'The case has no documents. This cannot be undone.',
      action: 'Delete case',
      check: count ? `Delete the case and its ${all}` : undefined,
      submit: async (checked) => {
        await api.deleteCase(one.id, checked);
        this.collection.uploads.removeOfCase(one.id);
        announce('The case is deleted');
        this.listener.onCaseGone(one.id);
      },
    });
  }
}

/** Sends or extracts again; says so when that fails.
 * @param {Collection} collection @param {Item} item @param {HTMLElement} button */
export async function retry(collection, item, button) {
  if (button.getAttribute('aria-busy')) return;
  setAttribute(button, 'aria-busy', 'true');
  try {
    await collection.retry(item);
    announce(`${itemName(item)} runs again`);
    const link = button.closest('.row')?.querySelector('.row-name');
    if (button.contains(document.activeElement) && link instanceof HTMLElement) link.focus();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    toast(`${itemName(item)}: ${error.message}`);
  } finally {
    setAttribute(button, 'aria-busy', null);
  }
}

/** Asks, then deletes the document; an upload is just taken out.
 * @param {Collection} collection @param {Item} item @returns {Promise<boolean>} */
export async function remove(collection, item) {
  if (item.upload) {
    await collection.remove(item);
    return true;
  }
  return ask({
    title: `Delete \u201C${itemName(item)}\u201D?`,
    text: 'The file and the text extracted from it are deleted. This cannot be undone.',
    action: 'Delete document',
    submit: async () => {
      await collection.remove(item);
      announce(`${itemName(item)} is deleted`);
    },
  });
}

/** What the main part says when the case itself cannot be shown.
 * @param {unknown} error @param {() => void} again */
export function problem(error, again) {
  const gone = error instanceof api.ApiError && error.status === 404;
  return message({
    icon: 'alert',
    title: gone ? 'Not found' : 'This could not be loaded',
    text: gone
      ? 'It may have been deleted, or the address is wrong.'
      : String(error instanceof Error ? error.message : error),
    action: gone ? undefined : 'Try again',
    act: again,
  });
}
