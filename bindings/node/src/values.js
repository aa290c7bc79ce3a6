// SPDX-License-Identifier: MIT
// values.js - times and other values that JavaScript has no exact type for, both ways.
import { InvalidError } from './errors.js';

const MILLISECOND = 1000;

/** A Date that keeps the microseconds which PostgreSQL has and Date has not. */
export class Timestamp extends Date {
  /** Microseconds within its millisecond, 0 to 999. */
  microseconds = 0;

  /** @param {number | bigint | string | Date} [value] as Date takes it; a bigint: microseconds since 1970 */
  constructor(value) {
    if (typeof value === 'bigint') {
      const rest = ((value % 1000n) + 1000n) % 1000n;
      super(Number((value - rest) / 1000n));
      this.microseconds = Number(rest);
    } else if (value === undefined) {
      super();
    } else {
      super(value);
      if (value instanceof Timestamp) this.microseconds = value.microseconds;
      else if (typeof value === 'string') this.microseconds = microsecondsOf(value);
    }
  }

  /** Microseconds since 1970, exact. */
  toMicroseconds() {
    return BigInt(this.getTime()) * 1000n + BigInt(this.microseconds);
  }

  toISOString() {
    const text = super.toISOString();
    return this.microseconds ? `${text.slice(0, -1)}${String(this.microseconds).padStart(3, '0')}Z` : text;
  }

  toJSON() {
    return Number.isNaN(this.getTime()) ? null : this.toISOString();
  }
}

function microsecondsOf(text) {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  return Number(fraction.slice(3, 6).padEnd(3, '0'));
}

/** What the native half gives for a time: microseconds, or a text for a year that has none. */
export function timeOut(value) {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return value;
    const milliseconds = Math.floor(value / MILLISECOND);
    const made = new Timestamp(milliseconds);
    made.microseconds = value - milliseconds * MILLISECOND;
    return made;
  }
  return typeof value === 'bigint' ? new Timestamp(value) : value;
}

/** Microseconds of a Date; all else as it is. */
export function timeIn(value) {
  if (!(value instanceof Date)) return value;
  const milliseconds = value.getTime();
  if (Number.isNaN(milliseconds)) throw new InvalidError('an invalid Date: it has no time');
  return BigInt(milliseconds) * 1000n + BigInt(value instanceof Timestamp ? value.microseconds : 0);
}
