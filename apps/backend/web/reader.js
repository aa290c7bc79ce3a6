// SPDX-License-Identifier: MIT
// The view of one document: what state it is in, and its text page by page. A page is a placeholder
// until it comes near the window; then it is read with its neighbours. While the extraction runs,
// pages appear as they are stored. Never shows text as anything but text.
import { filePath, getText, ApiError } from './backend.js';
import { isActive } from './collection.js';
import { find, inFrame, onAction, setAttribute, setHidden, setText, stamp } from './dom.js';
import { nameText, numberText, sentence } from './format.js';
import { remove, retry } from './list.js';
import { documentMeta, itemName, itemWords, pageTotal } from './row.js';

/** @typedef {import('./collection.js').Item} Item */
/** @typedef {import('./backend.js').Page} Page */

const PAGES_AT_ONCE = 20;
const PAGES_MAX = 20000; // of placeholders; more than the backend extracts
const NEAR = '1200px 0px'; // how far outside the window a page is read ahead
const TOP = '-80px 0px -85% 0px'; // the strip under the pager: the page in it is the one being read
const GROW_MS = 1000; // how often a running extraction is asked for new pages

/** @type {Record<string, string>} */
const SOURCES = { ocr: 'Read from the picture of the page', failed: 'Could not be read' };

export class ReaderView {
  /** @param {import('./collection.js').Collection} collection @param {Item} item
   * @param {{back: {href: string, text: string}, onGone: () => void}} options */
  constructor(collection, item, { back, onGone }) {
    this.collection = collection;
    this.item = item;
    this.onGone = onGone;
    this.node = stamp('t-reader');
    this.pages = find('.pages', this.node);
    this.pager = find('.pager', this.node);
    this.input = find('input', this.pager);
    this.over = new AbortController();
    /** @type {Map<number, HTMLElement>} */
    this.sections = new Map();
    /** @type {Set<number>} pages near the window that have no text yet */
    this.wanted = new Set();
    /** @type {Set<HTMLElement>} */
    this.seen = new Set();
    this.reading = false;
    this.run = 0; // counts extractions seen: an answer about an older one is dropped
    this.lastPage = 0;
    this.growTimer = 0;
    this.current = 1;
    this.draw = () => this.write();
    this.read = () => void this.readWanted();
    this.near = new IntersectionObserver((entries) => this.onNear(entries), { rootMargin: NEAR });
    this.shown = new IntersectionObserver((entries) => this.onShown(entries), { rootMargin: TOP });
    find('.back', this.node).setAttribute('href', back.href);
    setText(find('.back bdi', this.node), back.text);
    this.wasActive = isActive(item);
    this.attempt = this.document.attempt;
    this.listen();
    this.write();
    this.begin();
  }

  listen() {
    /** @type {import('./collection.js').Listener} */
    const listener = {
      onItem: (item) => {
        if (item === this.item) inFrame(this.draw);
      },
      onItems: () => this.onItems(),
      onState: () => {},
    };
    this.collection.listeners.add(listener);
    this.over.signal.addEventListener('abort', () => {
      this.collection.listeners.delete(listener);
      this.near.disconnect();
      this.shown.disconnect();
      window.clearTimeout(this.growTimer);
    });
    onAction(this.node, (action, target) => this.act(action, target));
    this.pager.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      this.goTo(Number(this.input.value));
    });
    this.input.addEventListener('change', () => this.goTo(Number(this.input.value)));
  }

  close() {
    this.over.abort();
  }

  get document() {
    return /** @type {import('./backend.js').Document} */ (this.item.document);
  }

  onItems() {
    if (this.over.signal.aborted) return;
    if (!this.collection.documents.has(this.document.id)) return this.onGone();
    inFrame(this.draw);
  }

  /** @param {string} action @param {HTMLElement} target */
  act(action, target) {
    switch (action) {
      case 'retry':
        return void retry(this.collection, this.item, target);
      case 'delete':
        return void remove(this.collection, this.item);
      case 'previous':
        return this.goTo(this.current - 1);
      case 'next':
        return this.goTo(this.current + 1);
    }
  }

  // ---- head and state -------------------------------------------------------------------------

  write() {
    if (this.over.signal.aborted) return;
    const one = this.document;
    const active = isActive(this.item);
    const words = itemWords(this.item);
    setText(find('h1 bdi', this.node), itemName(this.item));
    setText(find('.lead', this.node), documentMeta(one));
    find('[data-action=file]', this.node).setAttribute('href', filePath(one.id));
    const again = find('[data-action=retry]', this.node);
    setText(again, words.state === 'failed' ? 'Retry' : 'Extract again');
    setAttribute(again, 'class', words.state === 'failed' ? 'button button-main' : 'button');
    setHidden(again, active);
    const state = find('.reader-state', this.node);
    setHidden(state, !active && words.state !== 'failed');
    setAttribute(state, 'data-state', words.state);
    setText(find('p', state), words.note);
    const bar = find('progress', state);
    setHidden(bar, !active);
    if (bar.value !== words.percent) bar.value = words.percent;
    this.followState(active);
  }

  /** Begins anew with a new extraction, grows while it runs, reads the rest when it ends.
   * @param {boolean} active */
  followState(active) {
    // A short run may be over before it was ever seen running: then only the attempt tells.
    const anew = !this.wasActive && (active || this.document.attempt !== this.attempt);
    if (anew) this.clear();
    if (active && !this.growTimer) this.growTimer = window.setTimeout(() => this.grow(), GROW_MS);
    if (!active && (anew || this.wasActive)) this.begin();
    this.attempt = this.document.attempt;
    this.wasActive = active;
  }

  // ---- pages ----------------------------------------------------------------------------------

  /** Asks for the page behind the last one; where its placeholder stands, only if that is near. */
  grow() {
    this.growTimer = 0;
    if (!isActive(this.item)) return;
    const node = this.sections.get(this.lastPage + 1);
    if (node) this.observeAgain(node);
    else this.want(this.lastPage + 1);
    inFrame(this.draw);
  }

  clear() {
    this.run++;
    this.near.disconnect();
    this.shown.disconnect();
    this.sections.clear();
    this.seen.clear();
    this.wanted.clear();
    this.pages.replaceChildren();
    this.lastPage = 0;
    setHidden(this.pager, true);
  }

  begin() {
    const count = Math.min(pageTotal(this.document), PAGES_MAX);
    if (count) this.ensure(count);
    for (const node of this.sections.values()) this.observeAgain(node);
    // Also without a count: a failed or running extraction may have stored pages.
    if (this.lastPage < Math.max(count, 1)) this.want(this.lastPage + 1);
  }

  /** Placeholders up to page `last`. @param {number} last */
  ensure(last) {
    const fresh = document.createDocumentFragment();
    for (let page = this.sections.size + 1; page <= last; page++) {
      const node = stamp('t-page');
      node.id = `page-${page}`;
      setText(find('h2 span', node), `Page ${numberText(page)}`);
      node.dataset.page = String(page);
      this.sections.set(page, node);
      this.near.observe(node);
      this.shown.observe(node);
      fresh.append(node);
    }
    this.pages.append(fresh);
    this.writePager();
  }

  writePager() {
    const count = this.sections.size;
    setHidden(this.pager, count < 2);
    setText(find('.pager-of', this.pager), `of ${numberText(count)}`);
    find('[data-action=previous]', this.pager).disabled = this.current <= 1;
    find('[data-action=next]', this.pager).disabled = this.current >= count;
    if (document.activeElement !== this.input) this.input.value = String(this.current);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  onNear(entries) {
    for (const { target, isIntersecting } of entries) {
      const node = /** @type {HTMLElement} */ (target);
      const page = Number(node.dataset.page);
      if (isIntersecting && node.dataset.state === 'waiting') this.want(page);
      else if (!isIntersecting) this.wanted.delete(page);
    }
  }

  /** @param {IntersectionObserverEntry[]} entries */
  onShown(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.seen.add(/** @type {HTMLElement} */ (target));
      else this.seen.delete(/** @type {HTMLElement} */ (target));
    }
    const pages = [...this.seen].map((node) => Number(node.dataset.page));
    if (!pages.length) return;
    this.current = Math.min(...pages);
    this.writePager();
  }

  /** @param {number} page */
  want(page) {
    this.wanted.add(page);
    inFrame(this.read);
  }

  /** Reads from the first wanted page on, one request at a time, until none is wanted. */
  async readWanted() {
    if (this.reading || !this.wanted.size || this.over.signal.aborted) return;
    this.reading = true;
    const first = Math.min(...this.wanted);
    const run = this.run;
    try {
      const { pages, next } = await getText(this.document.id, first - 1, PAGES_AT_ONCE);
      if (this.over.signal.aborted) return;
      if (run === this.run) this.takePages(first, pages, next !== null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.wanted.clear();
      this.writeNote(error.message, true);
    } finally {
      this.reading = false;
    }
    if (this.wanted.size) inFrame(this.read);
  }

  /** @param {number} first the page asked for @param {Page[]} pages @param {boolean} more */
  takePages(first, pages, more) {
    this.writeNote('', false);
    const last = pages.reduce((most, { page }) => Math.max(most, page), first - 1);
    this.ensure(Math.min(last, PAGES_MAX));
    this.holdPlace(() => pages.forEach((page) => this.writePage(page)));
    this.lastPage = Math.max(this.lastPage, last);
    this.wanted.delete(first);
    if (more) this.ensure(Math.min(last + 1, PAGES_MAX));
    if (isActive(this.item)) return;
    // A page that should be among these and is not is not stored; it is not asked for again.
    const end = more ? last : this.sections.size;
    for (let page = first; page <= Math.min(end, first + PAGES_AT_ONCE - 1); page++) this.writeMissing(page);
    const completed = this.document.extraction_status === 'completed';
    if (completed && !this.sections.size) this.writeNote('No text was found in this document.', false);
  }

  /** The page being read stays where it is while pages above it get their true height. A browser's
   * own anchoring would hold the one above, of which a little shows under the pager.
   * @param {() => void} write */
  holdPlace(write) {
    const node = this.sections.get(this.current);
    const before = node?.getBoundingClientRect().top ?? 0;
    write();
    if (node) window.scrollBy(0, node.getBoundingClientRect().top - before);
  }

  /** @param {Page} page */
  writePage({ page, text, source, error }) {
    if (source === 'failed')
      this.fill(page, 'failed', SOURCES.failed, sentence(error || 'This page could not be read'));
    else if (text?.trim()) this.fill(page, 'text', SOURCES[source] ?? '', text);
    else this.fill(page, 'blank', '', 'No text on this page.');
  }

  /** @param {number} page */
  writeMissing(page) {
    if (this.sections.get(page)?.dataset.state !== 'waiting') return;
    const completed = this.document.extraction_status === 'completed';
    this.fill(page, 'blank', '', completed ? 'No text on this page.' : 'This page was not reached.');
  }

  /** @param {number} page @param {string} state @param {string} mark @param {string} text */
  fill(page, state, mark, text) {
    const node = this.sections.get(page);
    if (!node) return;
    this.wanted.delete(page);
    node.dataset.state = state;
    setText(find('small', node), mark);
    setHidden(find('small', node), !mark);
    setText(find('.page-text', node), text);
  }

  /** One line in the place of pages, with a way to try again where that makes sense.
   * @param {string} text @param {boolean} retriable */
  writeNote(text, retriable) {
    this.pages.parentNode?.querySelector('.pages-note')?.remove();
    if (!text) return;
    const note = document.createElement('p');
    note.className = 'pages-note';
    setText(note, nameText(text));
    if (retriable) {
      const button = document.createElement('button');
      Object.assign(button, { type: 'button', className: 'button button-small', textContent: 'Try again' });
      button.addEventListener('click', () => {
        note.remove();
        for (const node of this.sections.values()) this.observeAgain(node);
        if (!this.sections.size) this.want(1);
      });
      note.append(' ', button);
    }
    this.pages.before(note);
  }

  /** An observer speaks when it begins to watch: a page still near is wanted again.
   * @param {HTMLElement} node */
  observeAgain(node) {
    if (node.dataset.state !== 'waiting') return;
    this.near.unobserve(node);
    this.near.observe(node);
  }

  /** @param {number} page */
  goTo(page) {
    const count = this.sections.size;
    if (!count) return;
    const wanted = Number.isInteger(page) ? Math.min(Math.max(page, 1), count) : this.current;
    this.current = wanted;
    this.input.value = String(wanted);
    this.writePager();
    const node = /** @type {HTMLElement} */ (this.sections.get(wanted));
    node.scrollIntoView({ block: 'start' });
    if (document.activeElement === this.input) find('h2', node).focus({ preventScroll: true });
  }
}
