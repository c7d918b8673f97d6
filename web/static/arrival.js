/** A page that waits for something becomes it: a live part that brings a `data-arrived` element has the page loaded again. */

document.addEventListener("greenlight:part", (event) => {
  if (/** @type {Element} */ (event.target).querySelector("[data-arrived]")) location.reload();
});
