// What every script of the checks may use. Runs in a world of its own, so that no page answers in its place.
const LIMIT = 50;
const named = (element) => {
  const id = element.id ? `#${element.id}` : '';
  const first = typeof element.className === 'string' ? element.className.trim().split(/\s+/)[0] : '';
  const text = (element.innerText || element.value || element.alt || '').trim().replace(/\s+/g, ' ').slice(0, 40);
  return `${element.tagName.toLowerCase()}${id}${first ? `.${first}` : ''}${text ? ` “${text}”` : ''}`.slice(0, 120);
};
const shown = (element) => {
  const box = element.getBoundingClientRect();
  return box.width > 1 && box.height > 1
    && element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
};
// Cut away by a box around it, or kept for programs that read aloud: nobody sees it, and nobody aims at it.
const clipped = (element) => {
  for (let node = element; node && node !== document.body; node = node.parentElement) {
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    const hides = style.overflow !== 'visible' && (box.width <= 1 || box.height <= 1);
    if (hides || style.clipPath === 'inset(50%)' || /rect\((0|1)px/.test(style.clip)) return true;
    if (box.right + scrollX <= 0 || box.bottom + scrollY <= 0) return true;
  }
  return false;
};
const visible = (element) => shown(element) && !clipped(element);
const texted = (ids) => (ids || '').split(/\s+/).map((id) => document.getElementById(id)?.textContent.trim() || '')
  .join(' ').trim();
// The name that a program reads aloud, as far as a field or a button needs one; a placeholder is none.
const labelled = (element) => (element.getAttribute('aria-label') || '').trim()
  || texted(element.getAttribute('aria-labelledby'))
  || [...(element.labels || [])].map((label) => label.textContent.trim()).join(' ').trim()
  || (element.getAttribute('title') || '').trim();
