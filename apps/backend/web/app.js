// SPDX-License-Identifier: MIT
// Where the page starts: reads the address (#/, #/unfiled, #/cases/ID, #/documents/ID), opens what
// it names, and keeps one collection open across the list and the reader of its documents.
// Never draws a document or a case itself.
import * as api from './backend.js';
import { CaseList } from './cases.js';
import { Collection } from './collection.js';
import { announce, find, message } from './dom.js';
import { countText, nameText } from './format.js';
import { refuseOtherDrops } from './intake.js';
import { ListView, problem } from './list.js';
import { ReaderView } from './reader.js';
import { itemName } from './row.js';
import { Uploads } from './uploads.js';

/** @typedef {{view: 'home' | 'unfiled' | 'case' | 'document', id: string}} Route */

const uploads = new Uploads();
const main = find('#main');
const cases = new CaseList((one) => {
  location.hash = `#/cases/${encodeURIComponent(one.id)}`;
});

/** @type {Collection | null} */
let collection = null;
/** @type {api.Case | null} */
let openCase = null;
/** @type {ListView | ReaderView | null} */
let view = null;
let lastDocumentId = '';
let turn = 0; // which navigation is the newest: an older one that is late shows nothing

/** @returns {Route} */
function readRoute() {
  const [, name = '', id = ''] = location.hash.replace(/^#/, '').split('/').map(decode);
  if (name === 'unfiled') return { view: 'unfiled', id: '' };
  if (name === 'cases' && id) return { view: 'case', id };
  if (name === 'documents' && id) return { view: 'document', id };
  return { view: 'home', id: '' };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function navigate() {
  const route = readRoute();
  const mine = ++turn;
  document.body.dataset.view = route.view;
  try {
    await shows[route.view](route.id, () => mine === turn);
  } catch (error) {
    if (mine !== turn) return;
    closeView();
    place(problem(error, navigate), 'Not found');
    if (!(error instanceof api.ApiError)) throw error;
  }
}

/** @type {Record<Route['view'], (id: string, current: () => boolean) => Promise<void>>} */
const shows = {
  async home(_, current) {
    closeView();
    closeCollection();
    cases.setOpen(null);
    if (!cases.loaded) await loading;
    if (current()) place(homeMessage(), '');
  },
  async unfiled(_, current) {
    await openCollection(null, current);
    if (current()) showList();
  },
  async case(id, current) {
    await openCollection(id, current);
    if (current()) showList();
  },
  async document(id, current) {
    const known = collection?.documents.get(id);
    const one = known?.document ?? (await api.getDocument(id));
    if (!current()) return;
    await openCollection(one.case_id ?? null, current);
    if (!current() || !collection) return;
    const item = collection.takeDocument(one);
    lastDocumentId = id;
    collection.followStream();
    showReader(item);
  },
};

function homeMessage() {
  const none = !cases.cases.size;
  return message({
    icon: 'folder',
    title: none ? 'Begin with a case' : 'Choose a case',
    text: none
      ? 'A case holds documents that belong together. Add files and their text is extracted while you watch.'
      : 'Open a case to see its documents, or create a new one.',
    action: 'New case',
    act: () => cases.create(),
  });
}

/** Opens the case's documents; what is open already stays.
 * @param {string | null} caseId @param {() => boolean} current */
async function openCollection(caseId, current) {
  cases.setOpen(caseId ?? 'unfiled');
  if (collection && collection.caseId === caseId) return;
  closeView();
  closeCollection();
  main.replaceChildren();
  const one = caseId === null ? null : await api.getCase(caseId);
  if (!current()) return;
  openCase = one;
  collection = new Collection(caseId, uploads);
  collection.listeners.add({
    onItem() {},
    onItems() {},
    onState() {},
    onOutcome: (item) =>
      announce(
        `${itemName(item)} ${item.document?.extraction_status === 'completed' ? 'is ready' : 'failed'}`,
      ),
  });
  void collection.open();
}

function closeCollection() {
  collection?.close();
  collection = null;
  openCase = null;
}

function closeView() {
  view?.close();
  view = null;
}

function showList() {
  if (!collection) return;
  closeView();
  const list = new ListView(collection, openCase, {
    onCase: (one) => {
      openCase = one;
      cases.put(one);
      setTitle(one.title);
    },
    onCaseGone: (id) => {
      cases.remove(id);
      location.hash = '#/';
    },
  });
  view = list;
  const back = lastDocumentId;
  lastDocumentId = '';
  place(list.node, openCase?.title ?? 'Unfiled documents', () => Boolean(back) && list.reveal(back));
}

/** @param {import('./collection.js').Item} item */
function showReader(item) {
  if (!collection) return;
  closeView();
  const caseId = collection.caseId;
  const href = caseId === null ? '#/unfiled' : `#/cases/${encodeURIComponent(caseId)}`;
  const reader = new ReaderView(collection, item, {
    back: { href, text: nameText(openCase?.title ?? 'Unfiled documents') },
    onGone: () => {
      location.hash = href;
    },
  });
  view = reader;
  place(reader.node, itemName(item));
}

let first = true;

/** Puts a view into the main part and the keyboard at its heading, but for the very first.
 * @param {HTMLElement} node @param {string} title @param {() => boolean} [focus] */
function place(node, title, focus) {
  main.replaceChildren(node);
  setTitle(title);
  if (!first && !document.querySelector('dialog[open]')) {
    window.scrollTo(0, 0);
    if (!focus?.()) node.querySelector('h1')?.focus({ preventScroll: true });
  }
  first = false;
}

/** @param {string} title */
function setTitle(title) {
  document.title = title ? `${nameText(title)} - lex-intel` : 'lex-intel';
}

uploads.listeners.add({
  onChange() {},
  onDone() {
    const left = uploads.activeCount;
    announce(left ? `${countText(left, 'file')} left to upload` : 'All files are uploaded');
  },
});
window.addEventListener('hashchange', navigate);
window.addEventListener('beforeunload', (event) => {
  if (uploads.activeCount) event.preventDefault();
});
find('#skip').addEventListener('click', (/** @type {Event} */ event) => {
  event.preventDefault(); // the address is the route
  main.focus();
});
refuseOtherDrops();
const loading = cases.load();
void navigate();
