/**
 * Bringing files to a project: `<form data-upload="/api/projects/…/assets">`.
 *
 * Each file that is chosen or dropped is announced, brought and completed, one after the other, so that no two take the
 * same room. The bar shows the bytes that have left. What goes wrong stands beside the file, and can be tried again.
 */

import { send } from "./forms.js";
import { refreshParts } from "./live.js";

const UNHEARD = "The connection broke before the studio had the file. Try again.";
const WORDLESS = "The studio did not take it, and did not say why. Try again.";

/** @typedef {{file: File, row: HTMLLIElement, bar: HTMLProgressElement, told: HTMLElement, again: HTMLButtonElement, left: HTMLButtonElement}} Bringing */

/**
 * @param {number} count
 * @returns {string} as the server writes it
 */
function size(count) {
  if (count < 1000) return `${count} ${count === 1 ? "byte" : "bytes"}`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1_000_000).toFixed(1)} MB`;
}

/**
 * Brings the bytes of a file, and tells how many have left.
 * @param {string} url
 * @param {File} file
 * @param {(share: number) => void} progress
 * @returns {Promise<{status: number, body: any}>} status 0 where no answer came
 */
function put(url, file, progress) {
  return new Promise((resolve) => {
    // `fetch` does not tell how much has left.
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("load", () => {
      let body = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // A proxy's page. The status says enough.
      }
      resolve({ status: request.status, body });
    });
    for (const end of ["error", "abort", "timeout"]) request.addEventListener(end, () => resolve({ status: 0, body: null }));
    request.send(file);
  });
}

/** @param {HTMLFormElement} form */
function install(form) {
  const base = form.dataset.upload ?? "";
  const input = form.querySelector("input[type=file]");
  const list = form.querySelector("[data-upload-list]");
  const status = form.querySelector("[data-upload-status]");
  if (!(input instanceof HTMLInputElement) || !(list instanceof HTMLElement) || !(status instanceof HTMLElement)) return;
  /** @type {Bringing[]} */
  const waiting = [];
  let busy = false;

  /** @param {Iterable<File>} files */
  function add(files) {
    for (const file of files) waiting.push(shown(file));
    void work();
  }

  async function work() {
    if (busy) return;
    busy = true;
    for (let next = waiting.shift(); next; next = waiting.shift()) await bring(next);
    busy = false;
  }

  /** @param {Bringing} one */
  async function bring(one) {
    one.again.hidden = one.left.hidden = true;
    one.bar.hidden = false;
    one.bar.value = 0;
    one.told.className = "quiet small";
    one.told.textContent = size(one.file.size);
    const announced = await send(`POST ${base}/upload-url`, { name: one.file.name, size: one.file.size, type: one.file.type });
    if (announced.status !== 200) return failed(one, announced);
    const id = encodeURIComponent(announced.body.assetId);
    const came = await put(`${base}/${id}/content`, one.file, (share) => {
      one.bar.value = share;
      one.told.textContent = `${size(Math.round(share * one.file.size))} of ${size(one.file.size)}`;
    });
    if (came.status !== 200) return failed(one, came);
    one.told.textContent = "The studio looks at it.";
    const completed = await send(`POST ${base}/complete`, { assetId: announced.body.assetId });
    if (completed.status !== 200) return failed(one, completed);
    gone(one);
    status.textContent = `${one.file.name} is there.`;
    refreshParts();
  }

  /**
   * @param {Bringing} one
   * @param {{status: number, body: any}} answer
   */
  function failed(one, answer) {
    one.bar.hidden = true;
    one.told.className = "form-error";
    one.told.textContent = answer.body?.error ?? (answer.status === 0 ? UNHEARD : WORDLESS);
    one.again.hidden = one.left.hidden = false;
    status.textContent = `${one.file.name} was not taken. ${one.told.textContent}`;
  }

  /** @param {Bringing} one */
  function gone(one) {
    const focused = one.row.contains(document.activeElement);
    one.row.remove();
    list.hidden = list.childElementCount === 0;
    if (focused) input.focus();
  }

  /**
   * @param {File} file
   * @returns {Bringing}
   */
  function shown(file) {
    const row = document.createElement("li");
    row.className = "row";
    const main = document.createElement("div");
    main.className = "row-main";
    const name = document.createElement("span");
    name.className = "strong wrap";
    name.textContent = file.name;
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", `${file.name}, what has left`);
    const told = document.createElement("p");
    told.className = "quiet small";
    told.textContent = "Waits for the one before it.";
    main.append(name, bar, told);
    const side = document.createElement("div");
    side.className = "row-side";
    const again = button("Try again", file.name);
    const left = button("Leave it", file.name);
    side.append(again, left);
    row.append(main, side);
    list.append(row);
    list.hidden = false;
    const one = { file, row, bar, told, again, left };
    again.addEventListener("click", () => {
      waiting.push(one);
      void work();
    });
    left.addEventListener("click", () => gone(one));
    return one;
  }

  input.addEventListener("change", () => {
    add(input.files ?? []);
    // The same file can be chosen again.
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => {
      const { dataTransfer } = /** @type {DragEvent} */ (event);
      if (!dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      dataTransfer.dropEffect = "copy";
      form.classList.add("over");
    });
  }
  form.addEventListener("dragleave", (event) => {
    if (!(event.relatedTarget instanceof Node) || !form.contains(event.relatedTarget)) form.classList.remove("over");
  });
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    form.classList.remove("over");
    add(event.dataTransfer.files);
  });
  addEventListener("beforeunload", (event) => busy && event.preventDefault());
}

/**
 * @param {string} label
 * @param {string} of
 */
function button(label, of) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button small";
  made.hidden = true;
  made.textContent = label;
  made.setAttribute("aria-label", `${label}: ${of}`);
  return made;
}

for (const form of document.querySelectorAll("form[data-upload]")) if (form instanceof HTMLFormElement) install(form);
