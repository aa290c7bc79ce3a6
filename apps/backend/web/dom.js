// SPDX-License-Identifier: MIT
// The few things done to the document everywhere: find, stamp a template, write only what differs,
// batch writes into one animation frame, announce. Never parses text as markup: textContent only.

/** @param {string} selector @param {ParentNode} [root] @returns {any} */
export function find(selector, root = document) {
  const node = root.querySelector(selector);
  if (!node) throw new Error(`the page has no ${selector}`);
  return node;
}

/** A fresh copy of the one element in template `id`. @param {string} id @returns {any} */
export function stamp(id) {
  return document.importNode(find(`#${id}`).content, true).firstElementChild;
}

/** @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {HTMLElement} node @param {boolean} hidden */
export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/** null takes the attribute away. @param {Element} node @param {string} name @param {string | null} value */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) === value) return;
  if (value === null) node.removeAttribute(name);
  else node.setAttribute(name, value);
}

/** @type {Set<() => void>} */
const frameWork = new Set();

/** Runs `work` once in the next frame, however often it is asked for until then. @param {() => void} work */
export function inFrame(work) {
  if (!frameWork.size) requestAnimationFrame(runFrame);
  frameWork.add(work);
}

function runFrame() {
  const works = [...frameWork];
  frameWork.clear();
  for (const work of works) work();
}

/** Carries out the `data-action` of what was clicked inside `root`.
 * @param {HTMLElement} root @param {(action: string, target: HTMLElement) => void} act */
export function onAction(root, act) {
  root.addEventListener('click', (event) => {
    const target = event.target instanceof Element ? event.target.closest('[data-action]') : null;
    if (target instanceof HTMLElement && root.contains(target)) act(String(target.dataset.action), target);
  });
}

const ANNOUNCE_MS = 1000; // a screen reader needs about that long to pick up a change
/** @type {string[]} */
let waiting = [];
let announceTimer = 0;

/** Says `text` to screen readers; what comes within a second is said together,
 * the last of it in full.
 * @param {string} text */
export function announce(text) {
  waiting.push(text);
  if (announceTimer) return;
  announceTimer = window.setTimeout(() => {
    const said = waiting.length > 3 ? [`${waiting.length - 2} changes`, ...waiting.slice(-2)] : waiting;
    setText(find('#announce'), said.join('. '));
    waiting = [];
    announceTimer = 0;
  }, ANNOUNCE_MS);
}

const TOASTS_MAX = 4;
const TOAST_MS = 12000;

/** A passing message about something that went wrong. @param {string} text */
export function toast(text) {
  const box = find('#toasts');
  const node = stamp('t-toast');
  setText(find('p', node), text);
  find('button', node).addEventListener('click', () => node.remove());
  box.append(node);
  while (box.childElementCount > TOASTS_MAX) box.firstElementChild.remove();
  window.setTimeout(() => node.remove(), TOAST_MS);
}

/** A full-page message: nothing chosen, nothing there, or what went wrong.
 * @param {{icon: string, title: string, text: string, action?: string, act?: () => void}} what
 * @returns {HTMLElement} */
export function message({ icon, title, text, action, act }) {
  const node = stamp('t-message');
  find('use', node).setAttribute('href', `#i-${icon}`);
  setText(find('h1', node), title);
  setText(find('p', node), text);
  const button = find('button', node);
  if (action && act) {
    setText(button, action);
    button.hidden = false;
    button.addEventListener('click', act);
  }
  return node;
}
