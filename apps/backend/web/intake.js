// SPDX-License-Identifier: MIT
// Files that a person hands in, by drop or by the file dialog, as a plain list. A dropped folder
// gives the files in it. Never sends anything.

const FILES_MAX = 2000; // of one drop: more than that is a mistaken folder
const DEPTH_MAX = 12;
const HOVER_MS = 300;

/** Calls `take` with the files dropped anywhere on `target`, and marks `target` while files hover.
 * @param {HTMLElement} target @param {(files: File[], cut: boolean) => void} take
 * @param {AbortSignal} signal */
export function acceptDrops(target, take, signal) {
  let leaveTimer = 0;
  const mark = (/** @type {boolean} */ on) => target.classList.toggle('is-target', on);
  const hover = (/** @type {DragEvent} */ event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
    // dragleave fires between children too; hovering repeats dragover, so its absence is the end.
    window.clearTimeout(leaveTimer);
    leaveTimer = window.setTimeout(() => mark(false), HOVER_MS);
    mark(true);
  };
  target.addEventListener('dragenter', hover, { signal });
  target.addEventListener('dragover', hover, { signal });
  target.addEventListener(
    'drop',
    async (event) => {
      if (!hasFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      window.clearTimeout(leaveTimer);
      mark(false);
      const files = await filesOf(event.dataTransfer);
      take(files.slice(0, FILES_MAX), files.length > FILES_MAX);
    },
    { signal },
  );
}

/** A file dropped beside every target would replace the page. */
export function refuseOtherDrops() {
  for (const name of ['dragenter', 'dragover', 'drop']) {
    window.addEventListener(name, (event) => {
      if (event instanceof DragEvent && !event.defaultPrevented && hasFiles(event)) {
        event.preventDefault();
        if (event.dataTransfer) event.dataTransfer.dropEffect = 'none';
      }
    });
  }
}

/** @param {DragEvent} event */
function hasFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes('Files');
}

/** @param {DataTransfer} data @returns {Promise<File[]>} */
async function filesOf(data) {
  const plain = [...data.files];
  // Entries are only there until the event returns: take them before the first await.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return plain;
  /** @type {File[]} */
  const files = [];
  for (const entry of entries) if (entry) await collect(entry, files, 0);
  return files;
}

/** @param {FileSystemEntry} entry @param {File[]} files @param {number} depth */
async function collect(entry, files, depth) {
  if (depth > DEPTH_MAX || files.length > FILES_MAX || entry.name.startsWith('.')) return;
  if (entry.isFile) {
    const file = await read((done, fail) => /** @type {FileSystemFileEntry} */ (entry).file(done, fail));
    if (file) files.push(file);
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    // a reader gives up to a hundred at a time, then none
    const some = await read((done, fail) => reader.readEntries(done, fail));
    if (!some?.length || files.length > FILES_MAX) return;
    for (const one of some) await collect(one, files, depth + 1);
  }
}

/** @template T @param {(done: (value: T) => void, fail: () => void) => void} start
 * @returns {Promise<T | null>} */
function read(start) {
  return new Promise((resolve) => start(resolve, () => resolve(null)));
}
