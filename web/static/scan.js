/**
 * The form of a new project: looks at domain and repository while its owner goes on writing, and shows what the scan
 * has recorded. A scan that fails says so, and keeps nobody from starting.
 */

import { send } from "./forms.js";
import { write as writeMoments } from "./moments.js";
import { morphChildren } from "./morph.js";

// Whoever still types is not interrupted by a look at half a domain.
const TYPING_MS = 900;
// So long one request waits for the next step of a scan, and so long it takes at least.
const WAIT_SECONDS = 5;
const SHORTEST_MS = 300;
// A scan has a minute; after that something is wrong, and the page stops asking.
const LOOKS = 150;
const ANYWAY = "The project can be started all the same.";

const form = /** @type {HTMLFormElement} */ (document.getElementById("new-project"));
const place = /** @type {HTMLElement} */ (document.querySelector("[data-scan]"));
const told = /** @type {HTMLElement} */ (document.querySelector("[data-scan-told]"));
const hint = /** @type {HTMLElement} */ (document.querySelector("[data-scan-hint]"));

/** @param {string} name */
function field(name) {
  return /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
}

let timer = 0;
let asked = "";
// Whatever belongs to an earlier question has no say any more.
let turn = 0;

function consider() {
  clearTimeout(timer);
  timer = setTimeout(look, TYPING_MS);
}

async function look() {
  clearTimeout(timer);
  const domain = field("domain").value.trim();
  const repoUrl = field("repoUrl").value.trim();
  const question = JSON.stringify([domain, repoUrl]);
  if (question === asked) return;
  asked = question;
  turn += 1;
  field("scanJobId").value = "";
  if (!domain && !repoUrl) {
    place.replaceChildren();
    hint.hidden = false;
    return;
  }
  const mine = turn;
  say("Looking.");
  const answer = await send("POST /api/onboarding/scan", { ...(domain ? { domain } : {}), ...(repoUrl ? { repoUrl } : {}) });
  if (mine !== turn) return;
  if (answer.status < 200 || answer.status >= 300) {
    // The project itself would be refused for the same reason.
    const way = answer.status === 422 ? "Correct it: with it, the project cannot be created." : ANYWAY;
    problem(`${answer.body?.error ?? "The studio did not answer."} ${way}`);
    return;
  }
  const job = answer.body?.jobId;
  if (job) {
    field("scanJobId").value = job;
    await follow(mine, job);
  } else await put(mine, { domain });
  if (mine === turn) say("The scan is done.");
}

/**
 * @param {number} mine
 * @param {string} job
 */
async function follow(mine, job) {
  let after = 0;
  for (let n = 0; n < LOOKS && mine === turn; n += 1) {
    if (!(await put(mine, { job }))) return;
    const began = performance.now();
    const progress = await send(`GET /api/onboarding/scan/${job}?wait=${WAIT_SECONDS}&after=${after}`);
    after = progress.body?.steps?.at(-1)?.seq ?? after;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, SHORTEST_MS - (performance.now() - began))));
  }
}

/**
 * Shows what the scan has recorded; returns whether it goes on.
 * @param {number} mine
 * @param {{job?: string, domain?: string}} what
 */
async function put(mine, what) {
  const strategic = [...form.querySelectorAll("[data-strategic]")].filter((text) => /** @type {HTMLTextAreaElement} */ (text).value.trim().length >= 20);
  const said = { idea_chars: String(field("ideaDescription").value.trim().length), strategic: String(strategic.length) };
  try {
    const answer = await fetch(`/parts/onboarding/scan?${new URLSearchParams({ ...what, ...said })}`, { cache: "no-store" });
    if (mine !== turn) return false;
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const template = document.createElement("template");
    template.innerHTML = await answer.text();
    writeMoments(template.content);
    hint.hidden = true;
    morphChildren(place, template.content);
    return place.querySelector("[data-running]") !== null;
  } catch {
    if (mine === turn) problem(`What was found could not be shown. ${ANYWAY}`);
    return false;
  }
}

/** @param {string} text */
function problem(text) {
  const notice = document.createElement("p");
  notice.className = "notice warn";
  notice.textContent = text;
  hint.hidden = true;
  place.replaceChildren(notice);
  say(notice.textContent);
}

/** @param {string} text */
function say(text) {
  told.textContent = text;
}

// --- creating

let launches = true;

/** @param {any} answer */
async function created(answer) {
  const project = answer?.projectId;
  if (!project) {
    location.assign("/projects");
    return;
  }
  // Where it fails, the project's page says what stands in the way and has the button again.
  if (launches) await send(`POST /api/projects/${project}/launch`, {});
  location.assign(`/projects/${encodeURIComponent(project)}`);
}

/** Returns a key under which the same form makes its project once. */
function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

field("creationKey").value = key();
for (const name of ["domain", "repoUrl"]) {
  field(name).addEventListener("input", consider);
  field(name).addEventListener("change", look);
}
form.addEventListener("submit", (event) => (launches = event.submitter?.hasAttribute("data-launches") ?? true));
form.addEventListener("greenlight:created", (event) => created(/** @type {CustomEvent} */ (event).detail));
// What was typed before a reload is looked at again.
look();
