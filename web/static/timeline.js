/**
 * A drawing over a range that can be looked at in part: a waterfall over a trace's time, a flame graph over its share.
 *
 * What stands in it says where: `data-a` and `data-b` on a rect or an inner svg, `data-at` on a line, each in the unit of
 * `data-total`, which is the range's end. The server has drawn the whole range, in percent; here the same is drawn of a
 * window of it. Wheel (with Ctrl, or over the ruler), pinch, drag, and `zoom`, `pan`, `fit` move the window.
 */

// What may be seen at most: a millionth of it. Beyond that numbers of pixels lose their places.
const DEEPEST = 1e-6;
const STEP = 1.6;
// Less than this is a click with an unsteady hand.
const DRAG_PX = 5;
// What lies beyond the edges need not be exact, only beyond.
const BEYOND = 2;

export class Timeline {
  /** @type {Element | null} */
  #root = null;
  #frame = 0;
  /** @type {Map<number, number>} */
  #touches = new Map();

  /**
   * @param {() => Element | null} find the element that holds the drawing, `data-total` on it; it may be replaced
   * @param {{lane: () => Element | null, drawn?: (timeline: Timeline) => void}} how the element whose width is the window's
   */
  constructor(find, how) {
    this.find = find;
    this.how = how;
    this.from = 0;
    this.to = this.total;
    /** Whether all of it is looked at, also when it has grown. */
    this.isWhole = true;
  }

  get total() {
    return Math.max(Number(this.find()?.getAttribute("data-total")) || 0, Number.MIN_VALUE);
  }

  /** Takes what the drawing has become; a window on all of it stays one. */
  renewed() {
    if (this.isWhole || this.to > this.total) this.look(0, this.total);
    this.draw();
  }

  /**
   * Looks at a part of it.
   * @param {number} from
   * @param {number} to
   */
  look(from, to) {
    const total = this.total;
    const size = Math.min(Math.max(to - from, total * DEEPEST), total);
    this.from = Math.min(Math.max(0, from), total - size);
    this.to = this.from + size;
    this.isWhole = size >= total;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.draw());
  }

  fit() {
    this.look(0, this.total);
  }

  /**
   * @param {number} times more than 1 comes nearer
   * @param {number} [around] what stays where it is
   */
  zoom(times, around = (this.from + this.to) / 2) {
    const at = Math.min(Math.max(around, this.from), this.to);
    this.look(at - (at - this.from) / times, at + (this.to - at) / times);
  }

  /** @param {number} share of the window */
  pan(share) {
    const by = (this.to - this.from) * share;
    this.look(this.from + by, this.to + by);
  }

  nearer(around = undefined) {
    this.zoom(STEP, around);
  }

  farther(around = undefined) {
    this.zoom(1 / STEP, around);
  }

  draw() {
    this.#frame = 0;
    const root = this.find();
    if (!root) return;
    const size = this.to - this.from;
    const place = (/** @type {string | null} */ at) => (Number(at) - this.from) / size;
    for (const shape of root.querySelectorAll("[data-a]")) {
      const begin = Math.max(place(shape.getAttribute("data-a")), -BEYOND);
      const end = Math.min(place(shape.getAttribute("data-b")), 1 + BEYOND);
      shape.setAttribute("x", percent(begin));
      shape.setAttribute("width", percent(Math.max(end - begin, 0)));
    }
    for (const line of root.querySelectorAll("[data-at]")) {
      const at = place(line.getAttribute("data-at"));
      const x = percent(Math.min(Math.max(at, -BEYOND), 1 + BEYOND));
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    this.how.drawn?.(this);
  }

  /**
   * What lies under a pointer.
   * @param {number} x
   */
  at(x) {
    const box = this.how.lane()?.getBoundingClientRect();
    if (!box?.width) return this.from;
    return this.from + ((x - box.left) / box.width) * (this.to - this.from);
  }

  // --- gestures

  /**
   * Lets pointers and wheels that begin in `root` move the window.
   * @param {Element} root
   */
  follow(root) {
    if (this.#root === root) return;
    this.#root = root;
    root.addEventListener("wheel", (event) => this.#wheel(/** @type {WheelEvent} */ (event)), { passive: false });
    root.addEventListener("pointerdown", (event) => this.#down(/** @type {PointerEvent} */ (event)));
    root.addEventListener("pointermove", (event) => this.#pinch(/** @type {PointerEvent} */ (event)));
    for (const end of ["pointerup", "pointercancel"]) {
      root.addEventListener(end, (event) => this.#touches.delete(/** @type {PointerEvent} */ (event).pointerId));
    }
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const target = /** @type {Element} */ (event.target);
    // A page is scrolled by the wheel, and a trackpad's pinch comes as a wheel with Ctrl.
    const zooms = event.ctrlKey || event.metaKey || target.closest("[data-ruler]");
    const across = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (zooms) {
      event.preventDefault();
      this.zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 90), this.at(event.clientX));
    } else if (!this.isWhole && target.closest("[data-lane]") && Math.abs(across) > (event.shiftKey ? 0 : Math.abs(event.deltaY))) {
      event.preventDefault();
      this.pan(across / 900);
    }
  }

  /** @param {PointerEvent} event */
  #pinch(event) {
    if (!this.#touches.has(event.pointerId) || this.#touches.size !== 2) return;
    const [one, two] = [...this.#touches.values()];
    this.#touches.set(event.pointerId, event.clientX);
    const [left, right] = [...this.#touches.values()];
    const before = Math.max(Math.abs(one - two), 12);
    const now = Math.max(Math.abs(left - right), 12);
    this.zoom(now / before, this.at((left + right) / 2));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const target = /** @type {Element} */ (event.target);
    const ruler = target.closest("[data-ruler]");
    if (event.pointerType === "touch") this.#touches.set(event.pointerId, event.clientX);
    if (event.button !== 0 || !(ruler || target.closest("[data-lane]")) || this.#touches.size > 1) return;
    this.#drag(event, ruler || this.isWhole ? "select" : "move");
  }

  /**
   * @param {PointerEvent} event
   * @param {"select" | "move"} what
   */
  #drag(event, what) {
    const root = /** @type {Element} */ (this.#root);
    const began = event.clientX;
    const at = this.at(began);
    const { from, to } = this;
    const own = new AbortController();
    let moved = false;
    const move = (/** @type {PointerEvent} */ now) => {
      if (now.pointerId !== event.pointerId) return;
      // Two fingers are a pinch, and a mouse whose button went up elsewhere drags no more.
      if (this.#touches.size > 1 || now.buttons === 0) return own.abort();
      moved ||= Math.abs(now.clientX - began) > DRAG_PX;
      if (!moved) return;
      // One finger along the drawing: the page scrolls by itself, and selecting is for who aims.
      if (what === "select" && event.pointerType === "touch") return;
      if (what === "select") this.#mark(at, this.at(now.clientX));
      else {
        const width = this.how.lane()?.getBoundingClientRect().width || 1;
        const by = ((began - now.clientX) / width) * (to - from);
        this.look(from + by, to + by);
      }
    };
    const up = (/** @type {PointerEvent} */ now) => {
      if (now.pointerId !== event.pointerId) return;
      own.abort();
      if (!moved) return;
      if (what === "select" && event.pointerType !== "touch") {
        const end = this.at(now.clientX);
        this.look(Math.min(at, end), Math.max(at, end));
      }
      // The click that follows a drag is none.
      const none = (/** @type {Event} */ click) => {
        click.preventDefault();
        click.stopPropagation();
      };
      root.addEventListener("click", none, { capture: true, once: true });
      setTimeout(() => root.removeEventListener("click", none, { capture: true }));
    };
    own.signal.addEventListener("abort", () => this.#mark(0, 0));
    addEventListener("pointermove", move, { signal: own.signal });
    addEventListener("pointerup", up, { signal: own.signal });
    addEventListener("pointercancel", () => own.abort(), { signal: own.signal });
  }

  /**
   * Shows what is being selected.
   * @param {number} one
   * @param {number} other
   */
  #mark(one, other) {
    for (const mark of this.find()?.querySelectorAll("[data-selection]") ?? []) {
      const size = this.to - this.from;
      mark.setAttribute("x", percent((Math.min(one, other) - this.from) / size));
      mark.setAttribute("width", percent(Math.abs(one - other) / size));
    }
  }
}

/**
 * @param {number} share
 * @returns {string}
 */
function percent(share) {
  return `${Math.round(share * 1e6) / 1e4}%`;
}

// --- the ruler

/**
 * Returns the round moments of a range, about `count` of them.
 * @param {number} from
 * @param {number} to
 * @param {number} count
 * @returns {number[]}
 */
export function ticks(from, to, count) {
  const rough = (to - from) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough) ?? rough;
  // Above a minute people count in sixties.
  if (rough > 10_000) step = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400].map((s) => s * 1000).find((size) => size >= rough) ?? step;
  const found = [];
  for (let n = Math.ceil(from / step); n * step <= to; n += 1) found.push(n * step);
  return found;
}

/**
 * Returns milliseconds as the server writes them: 0.42 ms, 640 ms, 4.2 s, 3 min 5 s; exact enough to tell `apart`.
 * @param {number} ms
 * @param {number} [apart]
 * @returns {string}
 */
export function written(ms, apart = Infinity) {
  if (ms === 0) return "0";
  if (apart < 1) return `${ms.toFixed(Math.min(3, Math.ceil(-Math.log10(apart))))} ms`;
  if (ms < 1000 || apart < 10) return `${Math.round(ms * 100) / 100} ms`;
  const digits = apart < 100 ? 2 : apart < 1000 ? 1 : 0;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms % 1000 === 0 ? 0 : Math.max(digits, ms % 1000 ? 1 : 0))} s`;
  const minutes = Math.floor(ms / 60_000);
  const rest = (ms - minutes * 60_000) / 1000;
  if (minutes < 60) return rest ? `${minutes} min ${rest.toFixed(digits)} s` : `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
