/**
 * Writes moments in the reader's own time and words: `<time datetime="…" data-moment="relative|clock|exact|elapsed">`.
 * `elapsed` counts from its datetime as long as the element has `data-running`.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
// Older than this, a date says more than a number of days.
const RELATIVE_UNTIL = 7 * DAY;

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/**
 * Writes every moment in `root`.
 * @param {ParentNode} root
 * @param {number} [now]
 */
export function write(root, now = Date.now()) {
  for (const element of root.querySelectorAll("time[data-moment]")) {
    const at = Date.parse(element.getAttribute("datetime") ?? "");
    if (Number.isNaN(at)) continue;
    const text = said(element, at, now);
    if (text !== null && element.textContent !== text) element.textContent = text;
    if (!element.hasAttribute("title")) element.setAttribute("title", whole.format(at));
  }
}

/**
 * @param {Element} element
 * @param {number} at
 * @param {number} now
 * @returns {string | null}
 */
function said(element, at, now) {
  const style = element.getAttribute("data-moment");
  if (style === "elapsed") return element.hasAttribute("data-running") ? duration((now - at) / SECOND) : null;
  if (style === "clock" || style === "exact") {
    const time = (style === "clock" ? clock : exact).format(at);
    return new Date(at).toDateString() === new Date(now).toDateString() ? time : `${day.format(at)}, ${time}`;
  }
  return ago(at - now, at);
}

/**
 * @param {number} distance in milliseconds, negative for the past
 * @param {number} at
 * @returns {string}
 */
function ago(distance, at) {
  const size = Math.abs(distance);
  if (size >= RELATIVE_UNTIL) return day.format(at);
  // Two clocks are never quite the same: what has just happened did not happen in a second from now.
  if (size < 45 * SECOND) return "just now";
  if (size < HOUR) return relative.format(Math.round(distance / MINUTE) || Math.sign(distance), "minute");
  if (size < DAY) return relative.format(Math.round(distance / HOUR), "hour");
  return relative.format(Math.round(distance / DAY), "day");
}

/**
 * Returns a duration as the server writes it: 12 s, 3 min 5 s, 2 h 4 min.
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  if (all < 60) return `${all} s`;
  const minutes = Math.floor(all / 60);
  return minutes < 60 ? `${minutes} min ${all % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Writes what changes by itself, as often as it changes. */
function tick() {
  if (!document.hidden) write(document);
  const counting = document.querySelector("time[data-moment=elapsed][data-running]");
  setTimeout(tick, counting ? SECOND : 20 * SECOND);
}

tick();
document.addEventListener("visibilitychange", () => document.hidden || write(document));
