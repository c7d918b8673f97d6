/**
 * Parts that change without a word in the stream: a `data-live` element with `data-every="2"` is fetched again after so
 * many seconds, as long as somebody looks at the page.
 */

const TICK_MS = 500;

/** @type {WeakMap<Element, number>} */
const asked = new WeakMap();

setInterval(() => {
  if (document.hidden) return;
  const now = performance.now();
  for (const part of document.querySelectorAll("[data-live][data-every]")) {
    const last = asked.get(part) ?? now;
    if (!asked.has(part)) asked.set(part, now);
    // What has not been answered for long is asked again all the same: the part has one request under way at most.
    if (now - last < Number(part.getAttribute("data-every")) * 1000) continue;
    asked.set(part, now);
    part.dispatchEvent(new CustomEvent("greenlight:refresh", { bubbles: true }));
  }
}, TICK_MS);
