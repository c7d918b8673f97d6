/**
 * What every page of the studio has beside its content: the state of the connection, keyboard shortcuts, dialogs, and
 * forms with more than fields.
 *
 * `data-opens="id"` opens a dialog, `data-closes` closes the one it is in. `data-must-be="text"` on an input arms the
 * buttons that name it with `data-armed-by`. `data-gathers="name"` on a form puts what its `data-field` inputs say into
 * its field `name`, as one object. `g` and a link's `data-shortcut` open that link.
 */

const SHORTCUTS_OFF = "greenlight-shortcuts-off";
// Long enough to find the second key, short enough not to surprise.
const SECOND_KEY_MS = 1500;

// --- the connection

const SAID = { live: "Live", reconnecting: "Reconnecting…", offline: "No connection", paused: "Paused: live in other windows" };

document.addEventListener("greenlight:connection", (event) => {
  const { state, signedOut } = /** @type {CustomEvent} */ (event).detail;
  for (const place of document.querySelectorAll(".connection")) {
    place.hidden = false;
    place.dataset.state = state;
    place.querySelector("[data-connection-text]").textContent = signedOut ? "Signed out" : SAID[state];
  }
});

// --- dialogs

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const opener = target?.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  target?.closest("[data-closes]")?.closest("dialog")?.close();
  // A click beside the dialog is one on its backdrop.
  if (target instanceof HTMLDialogElement && target.open) {
    const box = target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) target.close();
  }
});

// --- lists to pick from

document.addEventListener("click", (event) => {
  for (const pick of document.querySelectorAll("details.pick[open]")) {
    if (!(event.target instanceof Node && pick.contains(event.target))) pick.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const pick = document.activeElement?.closest("details.pick[open]");
  if (event.key !== "Escape" || !pick) return;
  pick.open = false;
  pick.querySelector("summary").focus();
});

document.addEventListener("input", (event) => {
  const field = event.target;
  if (!(field instanceof HTMLInputElement) || field.dataset.mustBe === undefined) return;
  const fits = field.value.trim() === field.dataset.mustBe.trim();
  for (const button of document.querySelectorAll(`[data-armed-by="${CSS.escape(field.id)}"]`)) button.disabled = !fits;
});

// --- forms

// Before forms.js looks: it listens on the document as well, but not in the capture phase.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.dataset.gathers) return;
    const gathered = {};
    for (const field of form.querySelectorAll("[data-field]")) gathered[field.dataset.field] = field.value;
    const place = form.elements.namedItem(form.dataset.gathers);
    place.value = JSON.stringify(gathered);
    // It may hold secrets, and a hidden field's value stands in the document. It has been read by then.
    setTimeout(() => place.removeAttribute("value"));
  },
  true,
);

/** Says what a change of permissions has led to: what waits for a decision now, and what could not be asked for. */
document.addEventListener("studio:granted", (event) => {
  const { detail } = /** @type {CustomEvent} */ (event);
  const place = event.target instanceof Element ? event.target.querySelector("[data-result]") : null;
  if (!place) return;
  place.replaceChildren();
  const lines = [];
  for (const proposal of detail.proposals ?? []) {
    const link = document.createElement("a");
    link.href = `/inbox/${encodeURIComponent(proposal.approvalId)}`;
    link.textContent = proposal.title;
    lines.push(["Waits for your decision now: ", link, "."]);
  }
  for (const kept of detail.withheld ?? []) lines.push([`Not asked for: ${kept.title}. ${kept.reason}`]);
  const note = document.createElement("div");
  note.className = "notice go below";
  const said = document.createElement("p");
  said.className = "notice-title";
  said.textContent = detail.changed ? "Saved." : "Nothing was different.";
  note.append(said);
  for (const line of lines) {
    const paragraph = document.createElement("p");
    paragraph.append(...line);
    note.append(paragraph);
  }
  place.append(note);
});

// --- the keyboard

function shortcutsOn() {
  try {
    return localStorage.getItem(SHORTCUTS_OFF) === null;
  } catch {
    return true;
  }
}

let goUntil = 0;

document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable], dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !shortcutsOn()) return;
  if (event.key === "g") {
    goUntil = performance.now() + SECOND_KEY_MS;
    return;
  }
  if (performance.now() < goUntil) {
    const link = document.querySelector(`a[data-shortcut="${CSS.escape(event.key)}"]`);
    if (link instanceof HTMLAnchorElement) {
      event.preventDefault();
      link.click();
    }
  }
  goUntil = 0;
});

for (const setting of document.querySelectorAll("[data-shortcuts-setting]")) setting.hidden = false;
for (const box of document.querySelectorAll("[data-shortcuts-switch]")) {
  box.checked = shortcutsOn();
  box.addEventListener("change", () => {
    try {
      if (box.checked) localStorage.removeItem(SHORTCUTS_OFF);
      else localStorage.setItem(SHORTCUTS_OFF, "1");
    } catch {
      box.checked = shortcutsOn();
    }
  });
}

// --- tabs

// On a phone the tab of this page may lie beyond the edge of its row.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
