/**
 * Makes one piece of a page equal to another by changing only what differs, so that whoever reads or types there is
 * not disturbed: focus, selection, scroll positions, typed text and opened details belong to the reader.
 *
 * Elements are matched by `data-key` or `id`, else by their place. Left alone are elements with the same `data-keep` on
 * both sides, which scripts fill, and forms that somebody is filling in or that are being sent.
 */

// The reader's, once an element is there.
const READERS_OWN = new Set(["open", "data-dirty", "data-busy"]);

/**
 * Gives `old` the attributes and the content of `fresh`. What `fresh` holds may be moved into the page.
 * @param {Element} old
 * @param {Element} fresh
 */
export function morph(old, fresh) {
  if (isKept(old, fresh)) return;
  morphAttributes(old, fresh);
  morphChildren(old, fresh);
}

/**
 * Gives `old` the content of `fresh`, and leaves its attributes.
 * @param {Element} old
 * @param {Element | DocumentFragment} fresh
 */
export function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) if (keyOf(child)) keyed.set(keyOf(child), child);
  /** @type {ChildNode | null} */
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const found = partner(wanted, at, keyed);
    if (!found) {
      old.insertBefore(wanted, at);
      continue;
    }
    if (found !== at) bring(old, found, at);
    if (found instanceof Element) morph(found, /** @type {Element} */ (wanted));
    else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
    at = found.nextSibling;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/**
 * @param {ChildNode} wanted
 * @param {ChildNode | null} at
 * @param {Map<string, Element>} keyed
 * @returns {ChildNode | null}
 */
function partner(wanted, at, keyed) {
  const key = keyOf(wanted);
  if (key) {
    const same = keyed.get(key);
    keyed.delete(key);
    return same?.nodeName === wanted.nodeName ? same : null;
  }
  for (let node = at; node; node = node.nextSibling) {
    if (node.nodeType === wanted.nodeType && node.nodeName === wanted.nodeName && !keyOf(node)) return node;
    // Beyond an element that stays, a match would be a mere coincidence.
    if (keyOf(node) && keyed.has(keyOf(node))) return null;
  }
  return null;
}

/**
 * Puts `node` before `at`. One that has the focus, or a frame in it, would lose that by being moved: then those in
 * between go behind it.
 * @param {Element} parent
 * @param {ChildNode} node
 * @param {ChildNode | null} at
 */
function bring(parent, node, at) {
  const delicate = node.contains(document.activeElement) || (node instanceof Element && node.querySelector("iframe"));
  if (!delicate) {
    parent.insertBefore(node, at);
    return;
  }
  while (at && at !== node) {
    const next = at.nextSibling;
    parent.append(at);
    at = next;
  }
}

/**
 * @param {Element} old
 * @param {Element} fresh
 */
function morphAttributes(old, fresh) {
  for (const { name, value } of [...fresh.attributes]) {
    if (!READERS_OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!READERS_OWN.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
}

/**
 * @param {Element} old
 * @param {Element} fresh
 */
function isKept(old, fresh) {
  if (old.matches("form") && (old.hasAttribute("data-dirty") || old.hasAttribute("data-busy"))) return true;
  const keep = old.getAttribute("data-keep");
  return keep !== null && keep === fresh.getAttribute("data-keep");
}

/**
 * @param {Node} node
 * @returns {string}
 */
function keyOf(node) {
  return node instanceof Element ? node.getAttribute("data-key") || node.id : "";
}
