/** Shows a share link that was just made, once, with a button that copies it. */

document.addEventListener("greenlight:shared", (event) => {
  const answer = /** @type {CustomEvent} */ (event).detail;
  const made = document.querySelector("[data-share-made]");
  const url = made?.querySelector("[data-share-url]");
  if (!(made instanceof HTMLElement) || !(url instanceof HTMLInputElement)) return;
  url.value = String(answer?.shareUrl ?? "");
  made.hidden = false;
  url.focus();
  url.select();
});

document.addEventListener("click", async (event) => {
  if (!(event.target instanceof Element) || !event.target.closest("[data-share-copy]")) return;
  const url = document.querySelector("[data-share-url]");
  const told = document.querySelector("[data-share-copied]");
  if (!(url instanceof HTMLInputElement) || !told) return;
  url.select();
  try {
    await navigator.clipboard.writeText(url.value);
    told.textContent = "Copied.";
  } catch {
    // Only pages of a secure origin may write there.
    told.textContent = "Selected: copy it with your keyboard.";
  }
});
