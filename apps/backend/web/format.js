// SPDX-License-Identifier: MIT
// Values in the words a person reads: names, sizes, dates, counts. Pure functions; never touches
// the document.

// Characters that draw nothing or turn the text around, with which a name can pose as another
// ("invoice\u202Efdp.exe" is drawn as "invoiceexe.pdf"): C0, C1, zero width
// (but for the joiners that Persian and Hindi need), bidi controls, tags.
const UNSEEN =
  /[\u0000-\u001F\u007F-\u009F\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]|[\u{E0000}-\u{E007F}]/gu;

/** A name as it may be shown: each unseen character becomes a visible mark.
 * @param {unknown} name @param {string} [otherwise] */
export function nameText(name, otherwise = 'Untitled') {
  const text = String(name ?? '')
    .replace(UNSEEN, '\uFFFD')
    .trim();
  return text || otherwise;
}

/** Prose of the same kind, which may have lines. @param {unknown} text */
export function proseText(text) {
  return String(text ?? '')
    .split('\n')
    .map((line) => line.replace(UNSEEN, '\uFFFD'))
    .join('\n')
    .trim();
}

/** The kind of a file, at most four letters, from its name. @param {string} name */
export function kindText(name) {
  const match = /\.([A-Za-z0-9]{1,4})$/.exec(name);
  return match ? match[1].toUpperCase() : '';
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** @param {number | null | undefined} bytes */
export function sizeText(bytes) {
  if (typeof bytes !== 'number' || !(bytes >= 0)) return '';
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0) return countText(bytes, 'byte');
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${UNITS[unit]}`;
}

const NUMBER = new Intl.NumberFormat('en');
const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** @param {number} count @param {string} noun @param {string} [nouns] */
export function countText(count, noun, nouns = `${noun}s`) {
  return `${NUMBER.format(count)} ${count === 1 ? noun : nouns}`;
}

/** @param {number} count */
export function numberText(count) {
  return NUMBER.format(count);
}

/** @param {string | null | undefined} stamp */
export function dateText(stamp) {
  const time = timeOf(stamp);
  return time ? DATE.format(time) : '';
}

/** Milliseconds of an ISO date; one without a zone is UTC, as the tables hold it. 0 when it is none.
 * @param {string | null | undefined} stamp */
export function timeOf(stamp) {
  if (typeof stamp !== 'string') return 0;
  const zoned = /(Z|[+-]\d\d:?\d\d)$/i.test(stamp) ? stamp : `${stamp.replace(' ', 'T')}Z`;
  return Date.parse(zoned) || 0;
}

/** The parts that say something, with dots between. @param {string[]} parts */
export function joinText(parts) {
  return parts.filter(Boolean).join(' \u00B7 ');
}

/** @param {unknown} text */
export function sentence(text) {
  const words = proseText(text);
  if (!words) return '';
  const first = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?\u2026]$/.test(first) ? first : `${first}.`;
}
