/**
 * Buttons that copy: `data-copy="/api/…" data-field="name"` a part of a route's answer, as it is stored, and
 * `data-copy-of="id"` the text of an element. `[data-copied]` in them says what came of it.
 */

const SAID_MS = 1600;

/** @param {HTMLElement} button */
async function textOf(button) {
  if (!button.dataset.copy) return document.getElementById(button.dataset.copyOf ?? "")?.textContent ?? "";
  const answer = await fetch(button.dataset.copy, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  const value = (await answer.json())[button.dataset.field ?? ""];
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** @param {HTMLElement} button */
async function copy(button) {
  const said = button.querySelector("[data-copied]");
  if (!said || button.hasAttribute("data-busy")) return;
  const before = said.textContent;
  button.toggleAttribute("data-busy", true);
  try {
    await navigator.clipboard.writeText(await textOf(button));
    said.textContent = "Copied";
  } catch {
    said.textContent = "Could not copy";
  }
  setTimeout(() => {
    said.textContent = before;
    button.toggleAttribute("data-busy", false);
  }, SAID_MS);
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy], [data-copy-of]") : null;
  if (button instanceof HTMLElement) copy(button);
});
