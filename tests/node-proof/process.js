// SPDX-License-Identifier: MIT
// process.js - what this process holds; Linux only, with --expose-gc.
import { readFileSync, readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Kilobytes. */
export const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
export const descriptors = () => readdirSync('/proc/self/fd').length;

/** Until the collector has had its turns, and the finalizers after it. */
export async function collect() {
  for (let n = 0; n < 10; n++) {
    globalThis.gc();
    await setImmediate();
  }
}
