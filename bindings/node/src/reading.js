// SPDX-License-Identifier: MIT
// reading.js - what is read one by one, `for await` or next() by next(). A generator's return() waits for the next()
// before it, here as long as nothing happens: this one ends that next() too. Never knows what is read.
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose');

const end = (value) => ({ value, done: true });

export class Reading {
  #pull;
  #leave;
  #turn = Promise.resolve(); // the next() before
  #ended = false;

  /** pull() -> { value, done }, one call at a time; leave() makes one that waits come to its end. */
  constructor(pull, leave) {
    this.#pull = pull;
    this.#leave = leave;
  }

  next() {
    const turn = this.#turn.then(() => this.#step());
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #step() {
    if (this.#ended) return end();
    try {
      const answer = await this.#pull();
      if (this.#ended) return end();
      this.#ended = answer.done === true;
      return answer;
    } catch (error) {
      if (this.#ended) return end();
      await this.return();
      throw error;
    }
  }

  async return(value) {
    if (!this.#ended) {
      this.#ended = true;
      await this.#leave();
    }
    return end(value);
  }

  async throw(error) {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async [asyncDispose]() {
    await this.return();
  }
}
