// SPDX-License-Identifier: MIT
// The one live connection of the page: an EventSource that is opened, replaced, closed and opened
// again after a pause. Resuming is EventSource's own (Last-Event-ID). Never reads what comes.

const PAUSE_MS = 1000;
const PAUSE_MS_MAX = 30000;

export class Stream {
  /** onEnd: the server ended the stream for good and the pause is over; follow() again if still wanted.
   * @param {{onEvent: (data: any) => void, onState: (state: 'off' | 'joining' | 'live') => void,
   *   onEnd: () => void}} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {string | null} */
    this.path = null;
    /** @type {EventSource | null} */
    this.source = null;
    this.timer = 0;
    this.failures = 0;
  }

  /** Listens to `path` and nothing else; null: to nothing. Asking for the same again changes nothing.
   * @param {string | null} path */
  follow(path) {
    if (path === this.path && (this.source || this.timer || path === null)) return;
    this.close();
    this.path = path;
    if (path !== null) this.open(path);
  }

  /** @param {string} path */
  open(path) {
    const source = new EventSource(path);
    this.source = source;
    this.listener.onState('joining');
    source.onopen = () => this.listener.onState('live');
    source.onmessage = (event) => {
      this.failures = 0;
      const data = parse(event.data);
      if (data) this.listener.onEvent(data);
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.ended();
      else this.listener.onState('joining');
    };
  }

  ended() {
    this.source = null;
    this.listener.onState('joining');
    const pause = Math.min(PAUSE_MS * 2 ** this.failures++, PAUSE_MS_MAX);
    this.timer = window.setTimeout(
      () => {
        this.timer = 0;
        this.listener.onEnd();
      },
      pause * (0.75 + Math.random() / 2),
    );
  }

  close() {
    this.source?.close();
    this.source = null;
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.path = null;
    this.listener.onState('off');
  }
}

/** @param {string} text */
function parse(text) {
  try {
    const data = JSON.parse(text);
    return data && typeof data === 'object' ? data : null;
  } catch {
    return null;
  }
}
