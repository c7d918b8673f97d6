/**
 * The page's one event stream, and the parts of the page that follow it.
 *
 * `<body data-events="/api/…/events" data-cursor="…">` names the stream and where to begin. Every event is dispatched on
 * the document as `greenlight:event`, and whether the stream is there as `greenlight:connection`. A `data-live="/parts/…"`
 * element with `data-on="status artifact changed:chat"` is fetched again when such an event comes, with `data-of="{job}"`
 * only for that job's, and after every connection, because what is no job's event leaves no trace in the stream. An
 * element within it asks for that by a `greenlight:refresh` event of its own.
 *
 * Read by `fetch` and not by `EventSource`: that one tells neither pings nor a refusal, so that a page could not know a
 * dead connection from a quiet one, nor a session that has ended from a server that has gone.
 */

import { FrameReader } from "./frames.js";
import { write as writeMoments } from "./moments.js";
import { morph, morphChildren } from "./morph.js";
import { Place } from "./places.js";

/**
 * @typedef {"live" | "reconnecting" | "offline" | "paused"} State
 * @typedef {{type: string, seq: number, jobId: string, projectId: string, message: string | null,
 *   data: Record<string, any>, attempt: number, createdAt: string}} JobEvent
 */

// A glance at another tab must not cost a reconnect.
const HIDDEN_MS = 10_000;
// Three pings of the server, which come every five seconds, and then some.
const SILENCE_MS = 17_000;
const PAUSES_MS = [300, 700, 1500, 3000, 5000];
// So many failures in a row are more than a restart.
const OFFLINE_AFTER = 4;
// Events come in bursts; one look at their end is enough.
const COALESCE_MS = 250;
// A connection that ends sooner than this was none.
const SHORTEST_MS = 1000;

/** One stream, read again and again until it is closed. */
export class Stream {
  /** @type {AbortController | null} */
  #open = null;
  /** @type {(() => void) | null} */
  #wake = null;
  /** When the connection was there, 0 where it is not. */
  #since = 0;
  /** @type {Map<string, number>} */
  #seen = new Map();

  /**
   * @param {string} url
   * @param {string} cursor the id after which it begins, empty for the server's own choice
   * @param {{event: (event: any) => void, state: (state: State, signedOut: boolean) => void}} tell
   */
  constructor(url, cursor, tell) {
    this.url = url;
    this.cursor = cursor;
    this.tell = tell;
  }

  /** Opens it where it is not open, and makes one that waits try at once. */
  open() {
    this.#wake?.();
    if (this.#open) return;
    this.#open = new AbortController();
    this.#follow(this.#open.signal);
  }

  /** Closes it; it may be opened again, and then goes on where it was. */
  close() {
    this.#open?.abort();
    this.#open = null;
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    let failures = 0;
    while (!signal.aborted) {
      this.#since = 0;
      const end = await this.#read(signal);
      if (signal.aborted) return;
      const lasted = this.#since > 0 && performance.now() - this.#since >= SHORTEST_MS;
      failures = lasted ? 0 : failures + 1;
      if (end !== "ended" || failures > 1) {
        this.tell.state(failures < OFFLINE_AFTER && end !== "signed out" ? "reconnecting" : "offline", end === "signed out");
      }
      const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)];
      await this.#rest(pause * (0.75 + Math.random() / 2), signal);
    }
  }

  /**
   * Reads one connection to its end.
   * @param {AbortSignal} signal
   * @returns {Promise<"ended" | "failed" | "signed out">}
   */
  async #read(signal) {
    const own = new AbortController();
    const stop = () => own.abort();
    signal.addEventListener("abort", stop);
    let silence = setTimeout(stop, SILENCE_MS);
    try {
      const url = new URL(this.url, location.href);
      if (this.cursor) url.searchParams.set("cursor", this.cursor);
      const headers = { Accept: "text/event-stream" };
      const answer = await fetch(url, { headers, signal: own.signal, cache: "no-store" });
      if (answer.status === 401) return "signed out";
      if (!answer.ok || !answer.body) return "failed";
      this.#since = performance.now();
      this.tell.state("live", false);
      const frames = new FrameReader();
      const pieces = answer.body.getReader();
      for (;;) {
        const { done, value } = await pieces.read();
        if (done) return "ended";
        clearTimeout(silence);
        silence = setTimeout(stop, SILENCE_MS);
        for (const frame of frames.push(value)) this.#take(frame);
      }
    } catch {
      return "failed";
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", stop);
    }
  }

  /** @param {import("./frames.js").Frame} frame */
  #take(frame) {
    if (frame.event !== "message" && frame.event !== "changed") return;
    let event;
    try {
      event = JSON.parse(frame.data);
    } catch {
      console.warn("A frame of the stream is no JSON and was left out.");
      return;
    }
    if (frame.event === "changed") {
      this.tell.event({ ...event, type: "changed" });
      return;
    }
    if (frame.id) this.cursor = frame.id;
    // Whatever a server says twice is taken once.
    if (event.seq <= (this.#seen.get(event.projectId) ?? 0)) return;
    this.#seen.set(event.projectId, event.seq);
    this.tell.event(event);
  }

  /**
   * @param {number} milliseconds
   * @param {AbortSignal} signal
   */
  #rest(milliseconds, signal) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve(undefined);
      };
      signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    });
  }
}

/** The parts of the page that are kept up to date: each has at most one request under way. */
class Parts {
  /** @type {WeakMap<Element, {timer: number, busy: boolean, again: boolean}>} */
  #at = new WeakMap();

  /** @param {any} event */
  touched(event) {
    for (const part of document.querySelectorAll("[data-live]")) {
      const types = (part.getAttribute("data-on") ?? "").split(/\s+/);
      const of = part.getAttribute("data-of");
      // A hint names all that has changed in one transaction.
      const whats = String(event.what ?? "").split(" ");
      const wanted = types.includes(event.type) || whats.some((what) => types.includes(`${event.type}:${what}`));
      if (wanted && (!of || !event.jobId || event.jobId === of)) this.refresh(part, COALESCE_MS);
    }
  }

  all() {
    for (const part of document.querySelectorAll("[data-live]")) this.refresh(part, 0);
  }

  /**
   * @param {Element} part
   * @param {number} delay
   */
  refresh(part, delay) {
    const at = this.#at.get(part) ?? { timer: 0, busy: false, again: false };
    this.#at.set(part, at);
    if (at.busy) at.again = true;
    else if (!at.timer) at.timer = setTimeout(() => this.#fetch(part, at), delay);
  }

  /**
   * @param {Element} part
   * @param {{timer: number, busy: boolean, again: boolean}} at
   */
  async #fetch(part, at) {
    at.timer = 0;
    if (!part.isConnected) return;
    at.busy = true;
    try {
      const answer = await fetch(part.getAttribute("data-live") ?? "", { headers: { Accept: "text/html" }, cache: "no-store" });
      // Anything else is no part: an error, or the sign-in page. The stream tells of those.
      if (answer.ok && !answer.redirected && part.isConnected) put(part, await answer.text());
    } catch {
      // The next connection of the stream refreshes it.
    } finally {
      at.busy = false;
      if (at.again) {
        at.again = false;
        this.refresh(part, COALESCE_MS);
      }
    }
  }
}

/**
 * Puts a fragment of HTML, the part itself or its content, in the place of a part.
 * @param {Element} part
 * @param {string} html
 */
export function put(part, html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  const fresh = template.content;
  writeMoments(fresh);
  const root = fresh.firstElementChild;
  const whole = root && fresh.childElementCount === 1 && root.hasAttribute("data-live") && root.id === part.id;
  if (whole) morph(part, root);
  else morphChildren(part, fresh);
  part.dispatchEvent(new CustomEvent("greenlight:part", { bubbles: true }));
}

const parts = new Parts();

/** Fetches every part of the page again: after something was done here, nobody waits for the stream to say so. */
export function refreshParts() {
  parts.all();
}

/** @param {{detail: any, name: string}} said */
function dispatch({ name, detail }) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

/** @type {State | ""} */
let state = "";

/**
 * @param {State} next
 * @param {boolean} signedOut
 */
function say(next, signedOut) {
  if (next === "live") parts.all();
  if (next === state) return;
  state = next;
  document.documentElement.dataset.connection = next;
  dispatch({ name: "greenlight:connection", detail: { state: next, signedOut } });
}

function start() {
  const url = document.body.dataset.events;
  if (!url) return;
  const stream = new Stream(url, document.body.dataset.cursor ?? "", {
    event: (event) => {
      dispatch({ name: "greenlight:event", detail: event });
      parts.touched(event);
    },
    state: say,
  });
  let has = false;
  const place = new Place(
    () => {
      has = true;
      stream.open();
    },
    () => {
      has = false;
      stream.close();
      say("paused", false);
    },
  );
  const leave = () => {
    has = false;
    place.give();
    stream.close();
  };
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    // Tabs that nobody sees leave their place to the others.
    if (document.hidden) timer = setTimeout(leave, HIDDEN_MS);
    else place.want(true);
  };
  document.addEventListener("visibilitychange", look);
  // Of several windows side by side, this one is looked at.
  for (const sign of ["focus", "pointerdown", "keydown"]) addEventListener(sign, () => place.want(true), { passive: true });
  addEventListener("online", () => has && stream.open());
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && look());
  look();
}

document.addEventListener("greenlight:refresh", (event) => {
  const part = event.target instanceof Element ? event.target.closest("[data-live]") : null;
  if (part) parts.refresh(part, COALESCE_MS);
});
start();
