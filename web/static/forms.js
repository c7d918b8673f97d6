/**
 * Forms that speak to the API: `<form data-api="POST /api/…" data-then="…">`.
 *
 * Named fields become a JSON object; an input's `data-type` says what it is there: number, boolean, list (lines or
 * commas), json. Empty fields are left out, or are null with `data-empty="null"`. The button that was pressed adds its
 * own name and value. `data-then` says what follows: `reload`, `stay`, `goto:/path/{field of the answer}`, `event:name`.
 * `data-confirm` on form or button asks first. `data-draft="name"` keeps what is typed over a reload. What goes wrong
 * stands in the form's `[data-error]`, and nothing that was typed is lost.
 *
 * With `data-changed-only` a form sends only what differs from what the page has shown, so that nobody takes back what
 * another has changed meanwhile; a `data-remark` in it goes with that, and is none of it. A textarea with
 * `data-limit="3000"` is counted in the element `data-count-of="{its id}"`. A `data-drafts="name name"` element shows
 * what was typed under these names and never sent.
 */

import { refreshParts } from "./live.js";

/** @typedef {{status: number, body: any}} Answer */

const DRAFT = "greenlight-draft:";
// From here on a limit is worth a word.
const NEARLY = 0.9;
const WORDLESS = "The studio did not say what went wrong.";

// --- sending

/** @param {SubmitEvent} event */
async function submit(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.dataset.api || event.defaultPrevented) return;
  event.preventDefault();
  if (form.hasAttribute("data-busy")) return;
  const button = event.submitter instanceof HTMLButtonElement ? event.submitter : null;
  /** @type {Record<string, any>} */
  let body;
  try {
    body = fieldsOf(form, button);
    if (form.hasAttribute("data-changed-only") && !fieldsIn(form).some((field) => isChanged(field) && !isRemark(field))) {
      throw new Error("Nothing was changed.");
    }
  } catch (problem) {
    show(form, { status: 0, body: { error: String(/** @type {Error} */ (problem).message) } });
    return;
  }
  const question = button?.dataset.confirm ?? form.dataset.confirm;
  if (question && !(await confirmed(question, button?.textContent?.trim() || "Do it", Boolean(button?.matches(".danger"))))) return;
  const end = begin(form, button);
  const sent = valuesOf(form);
  const answer = await send(form.dataset.api, body);
  end();
  if (answer.status >= 200 && answer.status < 300) done(form, answer.body, sent);
  else show(form, answer);
}

/**
 * Sends JSON to a route, `POST /api/…`; status 0 stands for no answer.
 * @param {string} route
 * @param {any} [body]
 * @returns {Promise<Answer>}
 */
export async function send(route, body) {
  const [method, path] = route.split(" ");
  const carries = body !== undefined && method !== "DELETE" && method !== "GET";
  try {
    const answer = await fetch(path, {
      method,
      headers: { Accept: "application/json", ...(carries ? { "Content-Type": "application/json" } : {}) },
      ...(carries ? { body: JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    return { status: answer.status, body: parsed(text) };
  } catch {
    return { status: 0, body: null };
  }
}

/** @param {string} text */
function parsed(text) {
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return null;
  }
}

/**
 * Returns what a form says.
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement | null} button
 * @returns {Record<string, any>}
 */
export function fieldsOf(form, button) {
  /** @type {Record<string, any>} */
  const said = {};
  const changedOnly = form.hasAttribute("data-changed-only");
  for (const field of fieldsIn(form)) {
    if (changedOnly && !isChanged(field)) continue;
    const type = field.dataset.type ?? "text";
    if (field instanceof HTMLInputElement && (field.type === "checkbox" || field.type === "radio")) {
      if (type === "boolean") said[field.name] = field.checked;
      else if (type === "list") (said[field.name] ??= []).push(...(field.checked ? [field.value] : []));
      else if (field.checked) said[field.name] = typed(field.value, type, field);
      continue;
    }
    const text = field.value.trim();
    if (text !== "") said[field.name] = typed(type === "text" ? field.value : text, type, field);
    else if (field.dataset.empty === "null") said[field.name] = null;
    else if (type === "list") said[field.name] = [];
    else if (changedOnly) throw new Error(`${labelOf(field)} cannot be left empty.`);
  }
  if (button?.name) said[button.name] = typed(button.value, button.dataset.type ?? "text", button);
  return said;
}

/**
 * @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Field
 * @param {HTMLFormElement} form
 * @returns {Field[]} those that say something
 */
function fieldsIn(form) {
  const fields = [...form.elements].filter(
    (field) => field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement,
  );
  return /** @type {Field[]} */ (fields).filter((field) => field.name && !field.disabled);
}

/**
 * Returns whether a field says anything else than the page did.
 * @param {Field} field
 */
function isChanged(field) {
  if (field instanceof HTMLSelectElement) return [...field.options].some((option) => option.selected !== option.defaultSelected);
  if (isTicked(field)) return field.checked !== field.defaultChecked;
  return field.value !== field.defaultValue;
}

/**
 * @param {Field} field
 * @returns {field is HTMLInputElement}
 */
function isTicked(field) {
  return field instanceof HTMLInputElement && (field.type === "checkbox" || field.type === "radio");
}

/** @param {Field} field */
function isRemark(field) {
  return field.hasAttribute("data-remark");
}

/**
 * @param {HTMLFormElement} form
 * @returns {Map<Field, string | boolean>}
 */
function valuesOf(form) {
  return new Map(fieldsIn(form).map((field) => [field, isTicked(field) ? field.checked : field.value]));
}

/**
 * Makes what a form has sent what it has shown: from here on its fields follow the page again, but for those in which
 * somebody went on meanwhile.
 * @param {HTMLFormElement} form
 * @param {Map<Field, string | boolean>} sent
 */
function settle(form, sent) {
  const now = valuesOf(form);
  for (const [field, value] of sent) {
    if (isRemark(field)) continue;
    if (field instanceof HTMLSelectElement) for (const option of field.options) option.defaultSelected = option.value === value;
    else if (isTicked(field)) field.defaultChecked = Boolean(value);
    else field.defaultValue = String(value);
  }
  form.reset();
  for (const [field, value] of now) {
    if (value === sent.get(field)) continue;
    if (isTicked(field)) field.checked = Boolean(value);
    else field.value = String(value);
    form.setAttribute("data-dirty", "");
  }
}

/**
 * @param {string} text
 * @param {string} type
 * @param {Element} field
 */
function typed(text, type, field) {
  if (type === "boolean") return text === "true" || text === "1" || text === "on";
  if (type === "list") return text.split(/[\n,]/).map((part) => part.trim()).filter(Boolean);
  if (type === "json") {
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`${labelOf(field)} is not valid JSON.`);
    }
  }
  if (type === "number") {
    const number = Number(text.replace(/^\$/, ""));
    if (!Number.isFinite(number)) throw new Error(`${labelOf(field)} is not a number.`);
    return number;
  }
  return text;
}

/** @param {any} field */
function labelOf(field) {
  return field.labels?.[0]?.textContent?.trim() || field.getAttribute("aria-label") || field.name;
}

/**
 * Shows that a form is being sent; returns what ends that.
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement | null} pressed
 */
function begin(form, pressed) {
  const focused = document.activeElement;
  const buttons = [...form.elements].filter((field) => field instanceof HTMLButtonElement && !field.disabled);
  hide(form);
  form.setAttribute("data-busy", "");
  form.setAttribute("aria-busy", "true");
  pressed?.setAttribute("data-busy", "");
  for (const button of buttons) /** @type {HTMLButtonElement} */ (button).disabled = true;
  return () => {
    form.removeAttribute("data-busy");
    form.removeAttribute("aria-busy");
    pressed?.removeAttribute("data-busy");
    for (const button of buttons) /** @type {HTMLButtonElement} */ (button).disabled = false;
    // A button that is disabled loses the focus, and with it the place of whoever uses a keyboard.
    if (focused instanceof HTMLElement && document.activeElement === document.body) focused.focus();
  };
}

// --- what follows

/**
 * @param {HTMLFormElement} form
 * @param {any} body
 * @param {Map<Field, string | boolean>} sent
 */
function done(form, body, sent) {
  form.removeAttribute("data-dirty");
  forget(form);
  const then = form.dataset.then ?? "stay";
  if (then === "reload") location.reload();
  else if (then.startsWith("goto:")) location.assign(filled(then.slice("goto:".length), body));
  else {
    if (form.hasAttribute("data-changed-only")) settle(form, sent);
    else if (then === "stay" && form.hasAttribute("data-reset")) form.reset();
    refreshParts();
    const name = then.startsWith("event:") ? then.slice("event:".length) : "greenlight:done";
    form.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: body }));
    const told = form.querySelector("[data-done]");
    if (told instanceof HTMLElement) told.hidden = false;
  }
}

/**
 * Returns a path with the fields of an answer in the place of `{field}`.
 * @param {string} path
 * @param {any} body
 */
function filled(path, body) {
  return path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(body?.[name] ?? "")));
}

/**
 * Says in the form what went wrong.
 * @param {HTMLFormElement} form
 * @param {Answer} answer
 */
function show(form, answer) {
  const place = errorPlace(form);
  place.textContent = "";
  const { text, link } = explained(answer, Number(fieldsVersion(form)));
  place.append(text);
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link.href;
    anchor.textContent = link.text;
    if (link.elsewhere) anchor.target = "_blank";
    place.append(" ", anchor);
  }
  place.hidden = false;
}

/**
 * Returns in words what an answer that is no success means.
 * @param {Answer} answer
 * @param {number} version the version that was decided on, NaN where there is none
 * @returns {{text: string, link?: {href: string, text: string, elsewhere?: boolean}}}
 */
export function explained(answer, version) {
  const said = typeof answer.body?.error === "string" ? answer.body.error : WORDLESS;
  if (answer.status === 0 && !answer.body) {
    return { text: "No answer came from the studio. Look whether it was done before you send it again." };
  }
  if (answer.status === 401) {
    const next = encodeURIComponent(location.pathname + location.search);
    return {
      text: "You are signed out. What you wrote is still here: sign in, then send it again.",
      link: { href: `/sign-in?next=${next}`, text: "Sign in in another tab", elsewhere: true },
    };
  }
  if (answer.status === 409 && answer.body && "expectedVersion" in answer.body) {
    const seen = Number.isNaN(version) ? "an older version" : `version ${version}`;
    return {
      text: `This has changed since you opened it: you decided on ${seen}, and it is version ${answer.body.expectedVersion} now. Nothing was done.`,
      link: { href: location.href, text: "Load it again and look at what is new" },
    };
  }
  return { text: said };
}

/** @param {HTMLFormElement} form */
function fieldsVersion(form) {
  const field = form.elements.namedItem("version");
  return field instanceof HTMLInputElement && field.value ? field.value : "NaN";
}

/**
 * @param {HTMLFormElement} form
 * @returns {HTMLElement}
 */
function errorPlace(form) {
  const found = form.querySelector("[data-error]");
  if (found instanceof HTMLElement) return found;
  const made = document.createElement("p");
  made.className = "form-error";
  made.setAttribute("data-error", "");
  made.setAttribute("role", "alert");
  form.append(made);
  return made;
}

/** @param {HTMLFormElement} form */
function hide(form) {
  for (const place of form.querySelectorAll("[data-error], [data-done]")) /** @type {HTMLElement} */ (place).hidden = true;
}

// --- asking first

/**
 * Asks in a dialog; resolves to whether the answer was yes.
 * @param {string} question
 * @param {string} yes the words of the button that says so
 * @param {boolean} dangerous
 * @returns {Promise<boolean>}
 */
export function confirmed(question, yes, dangerous) {
  const dialog = document.createElement("dialog");
  dialog.className = "confirm";
  const text = document.createElement("p");
  text.id = "confirm-question";
  text.textContent = question;
  dialog.setAttribute("aria-labelledby", text.id);
  const form = document.createElement("form");
  form.method = "dialog";
  form.className = "form-actions";
  // What comes first has the focus: to do nothing is the safe answer.
  form.append(choice("Cancel", "no", "button"), choice(yes, "yes", dangerous ? "button danger" : "button primary"));
  dialog.append(text, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/**
 * @param {string} text
 * @param {string} value
 * @param {string} className
 */
function choice(text, value, className) {
  const button = document.createElement("button");
  button.value = value;
  button.className = className;
  button.textContent = text;
  return button;
}

// --- drafts

/** @param {HTMLFormElement} form */
function keep(form) {
  if (!form.dataset.draft) return;
  /** @type {Record<string, string>} */
  const texts = {};
  for (const field of textFields(form)) if (field.value) texts[field.name] = field.value;
  store(() => sessionStorage.setItem(DRAFT + form.dataset.draft, JSON.stringify(texts)));
}

/** @param {HTMLFormElement} form */
function forget(form) {
  if (form.dataset.draft) store(() => sessionStorage.removeItem(DRAFT + form.dataset.draft));
}

/**
 * @param {string | undefined} name
 * @returns {Record<string, string>}
 */
function draft(name) {
  return JSON.parse(sessionStorage.getItem(DRAFT + name) ?? "{}");
}

/** @param {HTMLFormElement} form */
function restore(form) {
  store(() => {
    const texts = draft(form.dataset.draft);
    for (const field of textFields(form)) {
      if (typeof texts[field.name] !== "string" || field.value) continue;
      field.value = texts[field.name];
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
}

/**
 * @param {HTMLFormElement} form
 * @returns {(HTMLInputElement | HTMLTextAreaElement)[]}
 */
function textFields(form) {
  const fields = form.querySelectorAll("textarea[name], input[name]:not([type=hidden]):not([type=password]):not([type=checkbox]):not([type=radio])");
  return /** @type {(HTMLInputElement | HTMLTextAreaElement)[]} */ ([...fields]);
}

/** Shows what was typed for something that can no longer be sent. */
function showDrafts() {
  for (const place of document.querySelectorAll("[data-drafts]")) {
    store(() => {
      const names = (/** @type {HTMLElement} */ (place).dataset.drafts ?? "").split(" ");
      const texts = names.flatMap((name) => Object.values(draft(name))).filter((text) => text.trim());
      const box = place.querySelector("[data-drafted]");
      if (box instanceof HTMLTextAreaElement) box.value = texts.join("\n\n");
      /** @type {HTMLElement} */ (place).hidden = texts.length === 0;
    });
  }
}

/** @param {MouseEvent} event */
function discard(event) {
  const place = event.target instanceof Element && event.target.closest("[data-forgets]") ? event.target.closest("[data-drafts]") : null;
  if (!(place instanceof HTMLElement)) return;
  for (const name of (place.dataset.drafts ?? "").split(" ")) store(() => sessionStorage.removeItem(DRAFT + name));
  showDrafts();
}

// --- limits

/**
 * Says how much of its limit a text takes, where that is of interest.
 * @param {HTMLTextAreaElement} box
 */
function count(box) {
  const limit = Number(box.dataset.limit);
  const place = document.querySelector(`[data-count-of="${CSS.escape(box.id)}"]`);
  if (!(place instanceof HTMLElement)) return;
  // As the studio counts: characters, without blanks around them.
  const length = [...box.value.trim()].length;
  const over = length - limit;
  const told = `${length.toLocaleString("en")} of ${limit.toLocaleString("en")} characters`;
  place.textContent = over > 0 ? `${told}: ${over.toLocaleString("en")} too many.` : `${told}.`;
  place.classList.toggle("too-many", over > 0);
  place.hidden = length < limit * NEARLY;
}

/** @param {() => void} work */
function store(work) {
  try {
    work();
  } catch {
    // A browser that keeps nothing keeps no drafts.
  }
}

document.addEventListener("submit", submit);
document.addEventListener("input", (event) => {
  if (event.target instanceof HTMLTextAreaElement && event.target.dataset.limit) count(event.target);
  const form = event.target instanceof Element ? event.target.closest("form[data-api]") : null;
  if (!(form instanceof HTMLFormElement)) return;
  form.setAttribute("data-dirty", "");
  keep(form);
});
document.addEventListener("click", discard);
document.addEventListener("greenlight:part", showDrafts);
for (const form of document.querySelectorAll("form[data-draft]")) restore(/** @type {HTMLFormElement} */ (form));
showDrafts();
