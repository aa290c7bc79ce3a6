// SPDX-License-Identifier: MIT
// The list of cases at the side. Holds the titles it knows and shows which one is open. Never opens
// one: the address does.
import * as api from './backend.js';
import { find, setAttribute, setHidden, setText, stamp } from './dom.js';
import { editCase } from './dialogs.js';
import { nameText, timeOf } from './format.js';

const CASES_MAX = 1000;
const FILTER_FROM = 9; // with fewer cases a search field is only in the way
const STALE_MS = 60000;

export class CaseList {
  /** @param {(one: api.Case) => void} onCreated */
  constructor(onCreated) {
    this.onCreated = onCreated;
    /** @type {Map<string, api.Case>} */
    this.cases = new Map();
    /** @type {Map<string, HTMLElement>} */
    this.nodes = new Map();
    this.loaded = false;
    this.loadedAt = 0;
    /** @type {string | null} */
    this.openId = null;
    this.list = find('#case-list');
    this.filter = find('#case-filter');
    this.filter.addEventListener('input', () => this.writeFilter());
    find('#case-new').addEventListener('click', () => this.create());
    find('#case-again').addEventListener('click', () => this.load());
    document.addEventListener('visibilitychange', () => this.refreshIfStale());
  }

  refreshIfStale() {
    if (!document.hidden && Date.now() - this.loadedAt > STALE_MS) this.load();
  }

  async load() {
    this.loadedAt = Date.now();
    const note = this.cases.size ? '' : 'Loading the cases';
    this.writeNote(note, false);
    try {
      const { items, next } = await api.listCases(CASES_MAX);
      this.cases = new Map(items.map((one) => [one.id, one]));
      this.loaded = true;
      this.write();
      this.writeNote(next === null ? this.emptyNote() : `The first ${items.length} cases.`, false);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      this.writeNote(error.message, true);
    }
  }

  emptyNote() {
    return this.cases.size ? '' : 'No cases yet.';
  }

  /** @param {string} text @param {boolean} failed */
  writeNote(text, failed) {
    setText(find('#case-note'), text);
    setHidden(find('#case-note'), !text);
    setHidden(find('#case-again'), !failed);
  }

  /** @param {api.Case} one */
  put(one) {
    this.cases.set(one.id, one);
    this.write();
    this.writeNote('', false);
  }

  /** @param {string} id */
  remove(id) {
    this.cases.delete(id);
    this.write();
    this.writeNote(this.emptyNote(), false);
  }

  /** @param {string | null} id a case's, or 'unfiled' */
  setOpen(id) {
    this.openId = id;
    for (const [one, node] of this.nodes)
      setAttribute(find('a', node), 'aria-current', one === id ? 'page' : null);
    setAttribute(find('#case-unfiled'), 'aria-current', id === 'unfiled' ? 'page' : null);
  }

  write() {
    const sorted = [...this.cases.values()].sort((a, b) => timeOf(b.created_at) - timeOf(a.created_at));
    const nodes = new Map();
    for (const one of sorted) {
      const node = this.nodes.get(one.id) ?? stamp('t-case');
      const title = nameText(one.title);
      find('a', node).setAttribute('href', `#/cases/${encodeURIComponent(one.id)}`);
      setText(find('bdi', node), title);
      setAttribute(find('a', node), 'title', title);
      nodes.set(one.id, node);
    }
    const held = document.activeElement;
    this.nodes = nodes;
    if (!sameOrder(this.list, nodes)) this.list.replaceChildren(...nodes.values());
    if (held instanceof HTMLElement && this.list.contains(held)) held.focus();
    setHidden(find('#case-filter-box'), sorted.length < FILTER_FROM);
    this.writeFilter();
    this.setOpen(this.openId);
  }

  writeFilter() {
    const words = this.filter.value.trim().toLocaleLowerCase();
    let shown = 0;
    for (const [id, node] of this.nodes) {
      const matches = !words || String(this.cases.get(id)?.title).toLocaleLowerCase().includes(words);
      setHidden(node, !matches);
      if (matches) shown++;
    }
    if (this.nodes.size) this.writeNote(shown ? '' : 'No case has these words in its title.', false);
  }

  async create() {
    await editCase({
      title: 'New case',
      action: 'Create case',
      submit: async (values) => {
        const one = await api.createCase(values);
        this.put(one);
        this.onCreated(one);
      },
    });
  }
}

/** @param {HTMLElement} list @param {Map<string, HTMLElement>} nodes */
function sameOrder(list, nodes) {
  const now = [...list.children];
  return now.length === nodes.size && [...nodes.values()].every((node, index) => node === now[index]);
}
