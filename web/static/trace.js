/**
 * A trace's page: the waterfall and the flame graph can be come nearer to, walked through by keys, filtered by name, and
 * say all of one span in a drawer. What the server has drawn is complete without this; here nothing is drawn that it has
 * not, only elsewhere.
 *
 * `#viewer` holds the waterfall, `#flame` the flame graph, `#span` the drawer. The part around them is fetched again as
 * long as the trace is open, and what the reader has chosen is put back into it.
 */

import "./copied.js";
import { put } from "./live.js";
import "./polled.js";
import { Timeline, ticks, written } from "./timeline.js";

const SHORTCUTS_OFF = "greenlight-shortcuts-off";
// Wide enough for "12 min 30 s".
const TICK_PX = 92;
const SVG = "http://www.w3.org/2000/svg";

const byId = (/** @type {string} */ id) => document.getElementById(id);
const viewer = () => byId("viewer");
const drawer = () => byId("span");

/** @returns {HTMLElement[]} */
const lines = () => /** @type {HTMLElement[]} */ ([...(viewer()?.querySelectorAll(".line") ?? [])]);
const shownLines = () => lines().filter((line) => !line.hidden);

/** What the reader has chosen; it outlives every refresh. */
const chosen = {
  /** The span that the keys are at. */ at: "",
  /** The span whose details are shown. */ open: drawer()?.dataset.span ?? "",
  folded: /** @type {Set<string>} */ (new Set()),
  path: false,
  filter: "",
  /** A frame of the flame graph. */ frame: "",
};

const waterfall = new Timeline(viewer, { lane: () => viewer()?.querySelector(".ruler") ?? null, drawn: drawRuler });
const flame = new Timeline(() => byId("flame"), { lane: () => byId("flame"), drawn: drawLabels });

// --- the ruler

/** @param {Timeline} timeline */
function drawRuler(timeline) {
  const ruler = viewer()?.querySelector(".ruler");
  const grid = viewer()?.querySelector("svg.grid-lines");
  if (!ruler || !grid) return;
  const width = ruler.getBoundingClientRect().width || 600;
  const size = timeline.to - timeline.from;
  const places = ticks(timeline.from, timeline.to, Math.max(2, Math.floor(width / TICK_PX)));
  const apart = places.length > 1 ? places[1] - places[0] : Infinity;
  const marks = [];
  const across = [];
  for (const place of places) {
    const share = (place - timeline.from) / size;
    const x = `${share * 100}%`;
    marks.push(shape("line", { x1: x, x2: x, y1: 17, y2: 24 }));
    // A word that would be cut off at the edge stands before its line.
    const text = shape("text", { x, y: 12, "text-anchor": share > 0.94 ? "end" : share < 0.03 ? "start" : "middle" });
    text.textContent = written(place, apart);
    marks.push(text);
    across.push(shape("line", { x1: x, x2: x, y1: 0, y2: "100%" }));
  }
  ruler.querySelector(".ticks")?.replaceChildren(...marks);
  grid.replaceChildren(...across);
  const window = ruler.querySelector(".window");
  window?.setAttribute("x", `${(timeline.from / timeline.total) * 100}%`);
  window?.setAttribute("width", timeline.isWhole ? "0" : `${Math.max((size / timeline.total) * 100, 0.4)}%`);
  viewer()?.querySelector("[data-zoom=fit]")?.toggleAttribute("disabled", timeline.isWhole);
}

/**
 * Texts that do not fit into their frames say nothing.
 * @param {Timeline} timeline
 */
function drawLabels(timeline) {
  document.querySelector("[data-of-flame] [data-zoom=fit]")?.toggleAttribute("disabled", timeline.isWhole);
  const width = byId("flame")?.getBoundingClientRect().width ?? 0;
  for (const frame of byId("flame")?.querySelectorAll("svg[data-a]") ?? []) {
    const room = (parseFloat(frame.getAttribute("width") ?? "0") / 100) * width;
    const text = frame.querySelector("text");
    if (!text) continue;
    text.toggleAttribute("display", false);
    if (room < 26) text.setAttribute("display", "none");
    // What begins left of the window says its name where it can be read.
    const x = parseFloat(frame.getAttribute("x") ?? "0");
    text.setAttribute("x", x < 0 ? `${(-x / 100) * width + 7}` : "7");
  }
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

// --- lines

/** @param {HTMLElement} line */
const depthOf = (line) => Number(line.dataset.depth);

/** Makes the list a tree for who listens, and lets one line of it take the focus. */
function dress() {
  const list = viewer()?.querySelector(".lines");
  if (!list) return;
  list.setAttribute("role", "tree");
  const all = lines();
  if (!all.some((line) => line.dataset.key === chosen.at)) chosen.at = all[0]?.dataset.key ?? "";
  all.forEach((line, index) => {
    const next = all[index + 1];
    const key = line.dataset.key ?? "";
    line.setAttribute("role", "treeitem");
    line.setAttribute("aria-level", String(depthOf(line) + 1));
    line.tabIndex = key === chosen.at ? 0 : -1;
    line.setAttribute("aria-selected", String(line.dataset.span !== undefined && line.dataset.span === chosen.open));
    if (next && depthOf(next) > depthOf(line)) line.setAttribute("aria-expanded", String(!chosen.folded.has(key)));
    else if (line.querySelector("a.fold-line")) line.setAttribute("aria-expanded", "false");
    for (const inside of line.querySelectorAll("a, button")) inside.setAttribute("tabindex", "-1");
  });
  conceal();
}

/** Hides what is folded away or is not like the filter, and says how much is left. */
function conceal() {
  const wanted = chosen.filter.toLowerCase();
  const all = lines();
  let under = Infinity;
  let like = 0;
  const kept = new Set();
  if (wanted) {
    // What is above something that is like it stays, so that one sees where it is.
    const above = [];
    for (const line of all) {
      above.length = depthOf(line);
      above.push(line);
      if (!isLike(line, wanted)) continue;
      like += 1;
      for (const one of above) kept.add(one);
    }
  }
  for (const line of all) {
    const depth = depthOf(line);
    if (depth <= under) under = chosen.folded.has(line.dataset.key ?? "") && !wanted ? depth : Infinity;
    line.hidden = wanted ? !kept.has(line) : depth > under;
    line.classList.toggle("like", Boolean(wanted) && isLike(line, wanted));
    line.classList.toggle("unlike", Boolean(wanted) && !isLike(line, wanted));
  }
  for (const frame of byId("flame")?.querySelectorAll("[data-name]") ?? []) {
    frame.classList.toggle("unlike", Boolean(wanted) && !isLike(frame, wanted));
  }
  const said = viewer()?.querySelector("[data-filtered]");
  if (said) said.textContent = wanted ? `${like} of ${all.length} lines` : "";
}

/**
 * @param {Element} element
 * @param {string} wanted
 */
function isLike(element, wanted) {
  return (element.getAttribute("data-name") ?? "").toLowerCase().includes(wanted);
}

/**
 * @param {HTMLElement | undefined} line
 * @param {boolean} [focus]
 */
function go(line, focus = true) {
  if (!line) return;
  chosen.at = line.dataset.key ?? "";
  for (const other of lines()) other.tabIndex = other === line ? 0 : -1;
  if (focus) {
    line.focus({ preventScroll: true });
    // Not under the ruler, which stays in sight.
    line.scrollIntoView({ block: "nearest" });
  }
  if (chosen.open && line.dataset.span && line.dataset.span !== chosen.open) show(line, false);
}

/** @param {HTMLElement} line */
function parentOf(line) {
  const all = lines();
  for (let at = all.indexOf(line) - 1; at >= 0; at -= 1) if (depthOf(all[at]) < depthOf(line)) return all[at];
  return undefined;
}

/**
 * @param {HTMLElement} line
 * @param {boolean} [folded]
 */
function fold(line, folded = !chosen.folded.has(line.dataset.key ?? "")) {
  const key = line.dataset.key ?? "";
  if (folded) chosen.folded.add(key);
  else chosen.folded.delete(key);
  dress();
}

/** @param {HTMLElement} line */
function placeOf(line) {
  const bar = line.querySelector(".lane [data-a]");
  return { from: Number(bar?.getAttribute("data-a")), to: Number(bar?.getAttribute("data-b")) };
}

// --- details

let asked = 0;

/**
 * Shows all of a span.
 * @param {HTMLElement} line
 * @param {boolean} [focus] in the drawer
 */
async function show(line, focus = true) {
  const link = line.querySelector("a[data-part]");
  if (!(link instanceof HTMLAnchorElement) || !line.dataset.span) return;
  await open(link.dataset.part ?? "", line.dataset.span, link.href, focus);
}

/**
 * @param {string} part
 * @param {string} span
 * @param {string} otherwise where to go when it cannot be shown here
 * @param {boolean} focus
 */
async function open(part, span, otherwise, focus) {
  const place = drawer();
  if (!place) return;
  asked += 1;
  const mine = asked;
  chosen.open = span;
  for (const line of lines()) line.setAttribute("aria-selected", String(line.dataset.span === span));
  let html = "";
  try {
    const answer = await fetch(part, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    html = await answer.text();
  } catch {
    if (mine === asked && focus) location.assign(otherwise);
    return;
  }
  if (mine !== asked || chosen.open !== span) return;
  const wasOpen = !place.hidden;
  place.hidden = false;
  // Of the same one, whoever reads in it stays where he is.
  const another = place.dataset.span !== span;
  place.dataset.span = span;
  put(place, html);
  if (another) place.scrollTop = 0;
  if (focus) place.querySelector("h2")?.focus({ preventScroll: true });
  if (!wasOpen) waterfall.draw();
  const address = new URL(location.href);
  address.searchParams.set("span", span);
  history.replaceState(history.state, "", address);
}

function close() {
  const place = drawer();
  if (!place || place.hidden) return false;
  const had = place.contains(document.activeElement);
  place.hidden = true;
  place.replaceChildren();
  chosen.open = "";
  asked += 1;
  for (const line of lines()) line.setAttribute("aria-selected", "false");
  const address = new URL(location.href);
  address.searchParams.delete("span");
  history.replaceState(history.state, "", address);
  if (had) lines().find((line) => line.dataset.key === chosen.at)?.focus();
  waterfall.draw();
  return true;
}

// --- the whole

function setPath(/** @type {boolean} */ on) {
  chosen.path = on;
  viewer()?.toggleAttribute("data-path", on);
  for (const button of document.querySelectorAll("[data-path-switch]")) button.setAttribute("aria-pressed", String(on));
}

/** Puts what the reader has chosen into what has come from the server. */
function renew() {
  const lanes = viewer();
  if (!lanes) return;
  document.documentElement.toggleAttribute("data-viewer", true);
  waterfall.follow(lanes);
  waterfall.renewed();
  const frames = byId("flame");
  if (frames) {
    flame.follow(frames);
    flame.renewed();
  }
  setPath(chosen.path);
  dress();
  dressFrames();
}

/** What of the trace is asked for by an address. @param {string} href */
const asksFor = (href) => ["name", "open", "under"].map((key) => new URL(href, location.href).searchParams.get(key) ?? "").join("\n");

/** The part's address that was asked for last. */
let wanted = "";

/**
 * Shows what an address of this page says, without leaving what is being looked at.
 * @param {string} href
 */
function turnTo(href) {
  const part = byId("trace");
  const address = new URL(href, location.href);
  if (!part) return;
  wanted = `/parts${address.pathname}${address.search}`;
  part.setAttribute("data-live", wanted);
  if (chosen.open) address.searchParams.set("span", chosen.open);
  history.replaceState(history.state, "", address);
  part.dispatchEvent(new CustomEvent("greenlight:refresh", { bubbles: true }));
}

/**
 * Asks again where an answer came that was under way before the reader asked for something else.
 * @param {Element} part
 */
function insist(part) {
  if (!wanted || asksFor(part.getAttribute("data-live") ?? "") === asksFor(wanted)) return;
  part.setAttribute("data-live", wanted);
  part.dispatchEvent(new CustomEvent("greenlight:refresh", { bubbles: true }));
}

// --- the flame graph

/** @returns {SVGElement[]} */
const frames = () => /** @type {SVGElement[]} */ ([...(byId("flame")?.querySelectorAll("a[data-frame]") ?? [])]);

function dressFrames() {
  const all = frames();
  if (!all.some((frame) => frame.dataset.frame === chosen.frame)) chosen.frame = all[0]?.dataset.frame ?? "";
  for (const frame of all) frame.setAttribute("tabindex", frame.dataset.frame === chosen.frame ? "0" : "-1");
}

/** @param {Element} frame */
const boxOf = (frame) => {
  const box = frame.querySelector("[data-a]");
  return { from: Number(box?.getAttribute("data-a")), to: Number(box?.getAttribute("data-b")) };
};

/** @param {SVGElement | undefined} frame */
function goFrame(frame) {
  if (!frame) return;
  chosen.frame = frame.dataset.frame ?? "";
  dressFrames();
  frame.focus({ preventScroll: true });
  tell(frame);
}

/** @param {Element} frame */
function tell(frame) {
  const place = document.querySelector("[data-flame-told]");
  if (place) place.textContent = frame.querySelector("title")?.textContent ?? "";
}

/**
 * @param {KeyboardEvent} event
 * @param {SVGElement} frame
 */
function flameKey(event, frame) {
  const all = frames();
  const depth = Number(frame.dataset.depth);
  const here = boxOf(frame);
  const beside = all.filter((other) => Number(other.dataset.depth) === depth);
  const at = beside.indexOf(frame);
  const within = (/** @type {SVGElement} */ other) => Number(other.dataset.depth) === depth + 1 && boxOf(other).from >= here.from - 1e-9 && boxOf(other).to <= here.to + 1e-9;
  const around = (/** @type {SVGElement} */ other) => Number(other.dataset.depth) === depth - 1 && boxOf(other).from <= here.from + 1e-9 && boxOf(other).to >= here.to - 1e-9;
  const done = {
    ArrowDown: () => goFrame(all.find(within)),
    ArrowUp: () => goFrame(all.find(around)),
    ArrowLeft: () => goFrame(beside[at - 1]),
    ArrowRight: () => goFrame(beside[at + 1]),
    Enter: () => flame.look(here.from, here.to),
    " ": () => flame.look(here.from, here.to),
    Home: () => flame.fit(),
    Escape: () => flame.fit(),
    "+": () => flame.nearer((here.from + here.to) / 2),
    "=": () => flame.nearer((here.from + here.to) / 2),
    "-": () => flame.farther((here.from + here.to) / 2),
  }[event.key];
  if (!done) return;
  event.preventDefault();
  done();
}

// --- keys

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement} line
 */
function lineKey(event, line) {
  const shown = shownLines();
  const at = shown.indexOf(line);
  const middle = (placeOf(line).from + placeOf(line).to) / 2;
  const expanded = line.getAttribute("aria-expanded");
  const done = {
    ArrowDown: () => go(shown[at + 1]),
    ArrowUp: () => go(shown[at - 1]),
    PageDown: () => go(shown[Math.min(at + 12, shown.length - 1)]),
    PageUp: () => go(shown[Math.max(at - 12, 0)]),
    End: () => go(shown.at(-1)),
    Home: () => waterfall.fit(),
    ArrowRight: () => {
      if (event.shiftKey) waterfall.pan(0.2);
      else if (expanded === "false") unfold(line);
      else if (expanded === "true") go(shown[at + 1]);
    },
    ArrowLeft: () => {
      if (event.shiftKey) waterfall.pan(-0.2);
      else if (expanded === "true") fold(line, true);
      else go(parentOf(line));
    },
    Enter: () => (line.dataset.span ? show(line) : unfold(line)),
    "+": () => waterfall.nearer(middle),
    "=": () => waterfall.nearer(middle),
    "-": () => waterfall.farther(middle),
    z: () => waterfall.look(placeOf(line).from, placeOf(line).to),
  }[event.key];
  if (!done) return;
  event.preventDefault();
  done();
}

/** @param {HTMLElement} line */
function unfold(line) {
  const more = line.querySelector("a.fold-line");
  if (more instanceof HTMLAnchorElement) turnTo(more.href);
  else fold(line, false);
}

function shortcutsOn() {
  try {
    return localStorage.getItem(SHORTCUTS_OFF) === null;
  } catch {
    return true;
  }
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = event.target instanceof Element ? event.target : document.body;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const field = target.closest("input, textarea, select");
  if (event.key === "Escape") {
    if (close()) return event.preventDefault();
    if (field instanceof HTMLInputElement && field.matches("[data-filter]")) {
      field.value = "";
      chosen.filter = "";
      conceal();
      shownLines().find((line) => line.tabIndex === 0)?.focus();
      return;
    }
  }
  if (field || target.closest("dialog")) return;
  const line = target.closest(".line");
  if (line instanceof HTMLElement && target.closest("#viewer")) lineKey(event, line);
  const frame = target.closest("a[data-frame]");
  if (frame instanceof SVGElement) flameKey(event, frame);
  if (event.defaultPrevented || !viewer()) return;
  // Keys of one letter for the whole page are for who wants them.
  const within = target.closest("#viewer, #span, #flame");
  if (!within && !shortcutsOn()) return;
  if (event.key === "c") setPath(!chosen.path);
  else if (event.key === "/") {
    event.preventDefault();
    /** @type {HTMLInputElement | null} */ (viewer()?.querySelector("[data-filter]"))?.focus();
  }
}

/** @param {MouseEvent} event */
function clicked(event) {
  const target = event.target instanceof Element ? event.target : null;
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const zoom = target.closest("[data-zoom]")?.getAttribute("data-zoom");
  const timeline = target.closest("[data-of-flame]") ? flame : waterfall;
  if (zoom === "in") timeline.nearer();
  else if (zoom === "out") timeline.farther();
  else if (zoom === "fit") timeline.fit();
  if (target.closest("[data-path-switch]")) setPath(!chosen.path);
  if (target.closest("[data-close-span]")) {
    event.preventDefault();
    close();
  }
  const inPlace = target.closest("a[data-in-place], a.fold-line");
  if (inPlace instanceof HTMLAnchorElement) {
    event.preventDefault();
    turnTo(inPlace.href);
    return;
  }
  const elsewhere = target.closest("a[data-part]");
  const line = target.closest("#viewer .line");
  if (line instanceof HTMLElement) {
    event.preventDefault();
    go(line, false);
    line.focus({ preventScroll: true });
    if (target.closest("button.fold-line")) fold(line);
    else if (line.dataset.span) show(line, false);
    else unfold(line);
  } else if (elsewhere instanceof HTMLAnchorElement) {
    event.preventDefault();
    open(elsewhere.dataset.part ?? "", elsewhere.dataset.opens ?? "", elsewhere.href, true);
  }
  const frame = target.closest("a[data-frame]");
  if (frame instanceof SVGElement) {
    event.preventDefault();
    goFrame(frame);
    const box = boxOf(frame);
    // Once more on what fills the window already: all of it again.
    if (Math.abs(box.from - flame.from) < 1e-9 && Math.abs(box.to - flame.to) < 1e-9) flame.fit();
    else flame.look(box.from, box.to);
  }
}

/** Whether the trace was open when it was last looked at. */
let following = Boolean(byId("trace")?.hasAttribute("data-every"));

if (viewer()) {
  renew();
  addEventListener("keydown", pressed);
  document.addEventListener("click", clicked);
  document.addEventListener("dblclick", (event) => {
    const line = event.target instanceof Element ? event.target.closest("#viewer .line") : null;
    if (line instanceof HTMLElement) waterfall.look(placeOf(line).from, placeOf(line).to);
  });
  document.addEventListener("input", (event) => {
    if (!(event.target instanceof HTMLInputElement) || !event.target.matches("[data-filter]")) return;
    chosen.filter = event.target.value.trim();
    conceal();
  });
  document.addEventListener("focusin", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const frame = target?.closest("a[data-frame]");
    if (frame) tell(frame);
    // However it came by the focus: the next key begins there.
    if (target instanceof HTMLElement && target.matches("#viewer .line")) go(target, false);
  });
  document.addEventListener("pointerover", (event) => {
    const frame = event.target instanceof Element ? event.target.closest("a[data-frame]") : null;
    if (frame) tell(frame);
  });
  document.addEventListener("greenlight:part", (event) => {
    if (!(event.target instanceof Element) || event.target.id !== "trace") return;
    insist(event.target);
    renew();
    const shown = lines().find((line) => line.dataset.span === chosen.open);
    // What has not ended has more to say, and once more at its end.
    if (shown && (following || event.target.hasAttribute("data-every"))) show(shown, false);
    following = event.target.hasAttribute("data-every");
  });
  addEventListener("resize", () => {
    waterfall.draw();
    flame.draw();
  });
}
