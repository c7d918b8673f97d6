/**
 * Text that a job streams: `<div data-streamed="{job}" data-seq="…" data-keep="…">` grows with the job's `delta` events.
 *
 * The server writes what has been streamed up to `data-seq`; what came since is kept here, so that an element that
 * appears in the middle misses nothing and repeats nothing. A job that begins anew begins its text anew. Without
 * `data-step` all steps of a job write into one element; with it, a `data-streams="{job}"` element around them is asked
 * to be refreshed when a step begins to speak that has no element yet.
 */

/** @typedef {{seq: number, step: string, text: string, restart: boolean}} Piece */

// Less than a line.
const NEAR_PX = 16;

/** @type {Map<string, Piece[]>} */
const pieces = new Map();

/** @param {any} event */
function take(event) {
  const restart = event.type === "status" && event.message === "running";
  if (event.type !== "delta" && !restart) return;
  const known = restart ? [] : (pieces.get(event.jobId) ?? []);
  known.push({ seq: event.seq, step: String(event.data?.step ?? ""), text: restart ? "" : (event.message ?? ""), restart });
  pieces.set(event.jobId, known);
  const job = CSS.escape(event.jobId);
  const elements = [...document.querySelectorAll(`[data-streamed="${job}"]`)];
  for (const element of elements) grow(element);
  if (restart || elements.some((element) => [null, known.at(-1)?.step].includes(element.getAttribute("data-step")))) return;
  document.querySelector(`[data-streams="${job}"]`)?.dispatchEvent(new CustomEvent("greenlight:refresh", { bubbles: true }));
}

/**
 * Gives an element the pieces that it does not have yet.
 * @param {Element} element
 */
function grow(element) {
  const known = pieces.get(element.getAttribute("data-streamed") ?? "") ?? [];
  const step = element.getAttribute("data-step");
  let seq = Number(element.getAttribute("data-seq"));
  const following = element.scrollTop + element.clientHeight >= element.scrollHeight - NEAR_PX;
  for (const piece of known) {
    if (piece.seq <= seq) continue;
    seq = piece.seq;
    if (piece.restart) element.textContent = "";
    else if (step === null || step === piece.step) append(element, piece.text);
  }
  if (String(seq) === element.getAttribute("data-seq")) return;
  element.setAttribute("data-seq", String(seq));
  // Whoever has scrolled back reads; whoever is at the end follows.
  if (following) element.scrollTop = element.scrollHeight;
  element.dispatchEvent(new CustomEvent("greenlight:streamed", { bubbles: true }));
}

/**
 * Appends to the text that is there, so that a selection in it stays.
 * @param {Element} element
 * @param {string} text
 */
function append(element, text) {
  const last = element.lastChild;
  if (last instanceof Text) last.appendData(text);
  else element.append(text);
}

document.addEventListener("greenlight:event", (event) => take(/** @type {CustomEvent} */ (event).detail));
document.addEventListener("greenlight:part", (event) => {
  for (const element of /** @type {Element} */ (event.target).querySelectorAll("[data-streamed]")) grow(element);
});
