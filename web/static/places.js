/**
 * Places for event streams, of which a browser has few: it allows six connections to a host over HTTP/1.1, whatever the
 * number of its windows. Four pages have a stream, the others are asked for it by what a person does: where he looks, types
 * or points, there is one. The rest stays free, so that every page can be opened and every button works.
 *
 * A place is a lock that all pages of this origin share (Web Locks); it goes with its page, however that ends.
 */

const PLACES = 4;
const NAME = "greenlight-stream-";
// Where the next one is taken from: not always from the same page.
const TURN = "greenlight-stream-turn";

export class Place {
  /** @type {AbortController | null} */
  #asking = null;
  /** @type {(() => void) | null} */
  #release = null;
  #held = false;

  /**
   * @param {() => void} granted called when there is a place
   * @param {() => void} lost called when another page has taken it
   */
  constructor(granted, lost) {
    this.granted = granted;
    this.lost = lost;
  }

  /**
   * Asks for a place, where there is none yet.
   * @param {boolean} urgent whether to take one from another page rather than to wait
   */
  want(urgent) {
    if (this.#held || (this.#asking && !urgent)) return;
    // Without locks (an old browser, an address without TLS) nobody counts.
    if (!navigator.locks) {
      this.#held = true;
      this.granted();
      return;
    }
    this.#asking?.abort();
    this.#asking = new AbortController();
    this.#ask(this.#asking, urgent);
  }

  /** Gives the place back, or stops asking. */
  give() {
    this.#asking?.abort();
    this.#asking = null;
    this.#held = false;
    this.#release?.();
    this.#release = null;
  }

  /**
   * @param {AbortController} asking
   * @param {boolean} urgent
   */
  async #ask(asking, urgent) {
    for (let number = 0; number < PLACES; number += 1) {
      if (await this.#request(number, { ifAvailable: true }, asking)) return;
      if (asking.signal.aborted) return;
    }
    if (urgent) {
      const turn = (Number(localStorage.getItem(TURN)) + 1) % PLACES || 0;
      localStorage.setItem(TURN, String(turn));
      await this.#request(turn, { steal: true }, asking);
      return;
    }
    for (let number = 0; number < PLACES; number += 1) this.#request(number, { signal: asking.signal }, asking);
  }

  /**
   * Asks for one place; resolves to whether there is it now.
   * @param {number} number
   * @param {LockOptions} options
   * @param {AbortController} asking
   * @returns {Promise<boolean>}
   */
  #request(number, options, asking) {
    return new Promise((resolve) => {
      let holding = false;
      const hold = (/** @type {Lock | null} */ lock) => {
        if (!lock || this.#held || asking.signal.aborted) {
          resolve(false);
          return undefined;
        }
        holding = true;
        this.#held = true;
        this.#asking = null;
        // The other questions of this page are answered by this.
        asking.abort();
        const held = new Promise((free) => {
          this.#release = () => {
            holding = false;
            free(undefined);
          };
        });
        resolve(true);
        this.granted();
        return held;
      };
      navigator.locks.request(NAME + number, options, hold).catch(() => {
        resolve(false);
        if (!holding) return;
        holding = false;
        this.#held = false;
        this.#release = null;
        this.lost();
        // Its turn comes again when another page goes.
        this.want(false);
      });
    });
  }
}
