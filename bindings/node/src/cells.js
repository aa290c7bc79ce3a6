// SPDX-License-Identifier: MIT
// cells.js - rows as the native half has written them (values.h), one value at a time. They are another answer's after
// the next drain().
const NULL = 1;
const BIG = 2;
const LISTED = 3;
const TRUE = 5;

export class Cells {
  #numbers;
  #bigs;
  #flags;
  list = []; // of the last drain()

  constructor(cells, flags) {
    this.#numbers = new Float64Array(cells);
    this.#bigs = new BigInt64Array(cells);
    this.#flags = new Uint8Array(flags);
  }

  at(place) {
    const flag = this.#flags[place];
    if (flag === LISTED) return this.list[this.#numbers[place]];
    if (flag === NULL) return null;
    if (flag === BIG) return this.#bigs[place];
    return flag === 0 ? this.#numbers[place] : flag === TRUE;
  }
}
