/**
 * The chat: what was said stands on the server, and is put there by the page's live part. Here is what a reader needs
 * beside it: a sent message that is there at once, the end in sight while it grows, a box that sends with Enter.
 */

import { write as writeMoments } from "./moments.js";

// A reader who is nearer to the end than this follows it.
const NEAR_PX = 140;
// Longer answers are read where they stand.
const ANNOUNCED_CHARS = 600;

const chat = document.querySelector("[data-chat]");
const talk = /** @type {HTMLElement | null} */ (chat?.querySelector(".talk") ?? null);
const composer = /** @type {HTMLFormElement | null} */ (chat?.querySelector("form.composer") ?? null);
const box = /** @type {HTMLTextAreaElement | null} */ (composer?.querySelector("textarea") ?? null);

// --- the end in sight

let following = true;

function distance() {
  const page = document.documentElement;
  return page.scrollHeight - page.scrollTop - page.clientHeight;
}

function toTheEnd() {
  following = true;
  document.documentElement.scrollTop = document.documentElement.scrollHeight;
}

// --- sending

/** @param {any} answer */
function posted(answer) {
  if (!composer || !box) return;
  const text = sent;
  // What was typed while the message was on its way is the next one.
  box.value = box.value.startsWith(text) ? box.value.slice(text.length).trimStart() : box.value;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  show(answer, text.trim());
  toTheEnd();
  box.focus();
}

/**
 * Shows a message that was taken, and the answer that is to come; the part that follows brings the same elements.
 * @param {any} answer
 * @param {string} text
 */
function show(answer, text) {
  const template = document.querySelector("template[data-posted]");
  const newest = document.getElementById("newest");
  const message = answer?.userMessageId;
  const job = answer?.jobId;
  if (!(template instanceof HTMLTemplateElement) || !newest || !message || !job) return;
  if (newest.querySelector(`[data-key="message-${CSS.escape(message)}"]`)) return;
  const made = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const [mine, reply] = made.children;
  mine.setAttribute("data-key", `message-${message}`);
  mine.querySelector("[data-said]")?.append(text);
  reply.setAttribute("data-key", `reply-${message}`);
  reply.querySelector("form")?.setAttribute("data-api", `POST /api/jobs/${job}/cancel`);
  const streamed = reply.querySelector("[data-streamed]");
  streamed?.setAttribute("data-streamed", job);
  streamed?.setAttribute("data-keep", job);
  newest.append(made);
  // What the job has said before this page knew of it.
  newest.dispatchEvent(new CustomEvent("greenlight:part", { bubbles: true }));
}

let sent = "";

function grow() {
  if (!box || CSS.supports("field-sizing", "content")) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  // On a touch keyboard there is no Shift and Enter: there Enter begins a line, and the button sends.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
  event.preventDefault();
  if (box?.value.trim()) composer?.requestSubmit();
}

// --- what was said before

/** @param {HTMLAnchorElement} link */
async function earlier(link) {
  const place = link.closest(".earlier");
  const before = new URL(link.href).searchParams.get("before");
  if (!place || !before || !chat) return;
  const answer = await fetch(`/parts/projects/${chat.getAttribute("data-chat")}/chat/earlier?before=${before}`);
  if (!answer.ok || answer.redirected) {
    location.assign(link.href);
    return;
  }
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  writeMoments(template.content);
  const page = document.documentElement;
  const below = page.scrollHeight - page.scrollTop;
  const first = template.content.firstElementChild;
  place.replaceWith(template.content);
  // What was in sight stays where it was.
  page.scrollTop = page.scrollHeight - below;
  if (first instanceof HTMLElement) {
    first.tabIndex = -1;
    first.focus({ preventScroll: true });
  }
}

// --- for who listens

/** @type {Set<string>} */
const heard = new Set();

/** @param {boolean} aloud */
function announce(aloud) {
  const place = document.querySelector("[data-announce]");
  for (const answer of document.querySelectorAll("#newest [data-answer], #newest .said.failed")) {
    const key = `${answer.getAttribute("data-key")} ${answer.className}`;
    if (heard.has(key)) continue;
    heard.add(key);
    const text = answer.querySelector(".text")?.textContent ?? "";
    if (aloud && place) place.textContent = `Greenlight: ${text.slice(0, ANNOUNCED_CHARS)}`;
  }
}

if (chat && talk) {
  announce(false);
  new ResizeObserver(() => following && toTheEnd()).observe(talk);
  document.addEventListener("scroll", () => (following = distance() < NEAR_PX), { passive: true });
  document.addEventListener("greenlight:part", () => announce(true));
  document.addEventListener("greenlight:streamed", (event) => {
    const told = /** @type {Element} */ (event.target).closest(".pending")?.querySelector("[data-progress]");
    if (told) told.textContent = "is answering";
  });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-earlier]") : null;
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    earlier(link);
  });
  if (!new URL(location.href).searchParams.has("before")) toTheEnd();
}
if (composer && box) {
  box.addEventListener("keydown", pressed);
  box.addEventListener("input", grow);
  // Before forms.js sends it.
  composer.addEventListener("submit", () => (sent = box.value));
  composer.addEventListener("greenlight:posted", (event) => posted(/** @type {CustomEvent} */ (event).detail));
  grow();
}
