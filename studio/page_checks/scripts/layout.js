// How the page fits the window: what sticks out of it, words too small to read, targets too small to hit.
(() => {
  const root = document.documentElement;
  const width = root.clientWidth;
  const wide = Math.max(root.scrollWidth, document.body?.scrollWidth || 0);
  // A box that scrolls by itself, or cuts off, keeps what is wider from widening the page.
  const kept = (element) => {
    for (let node = element.parentElement; node && node !== document.body && node !== root; node = node.parentElement) {
      if (getComputedStyle(node).overflowX !== 'visible') return true;
    }
    return false;
  };
  const overflowing = [];
  if (wide > width + 1) {
    for (const element of document.body.querySelectorAll('*')) {
      const box = element.getBoundingClientRect();
      if (box.right + scrollX > width + 1 && shown(element) && !kept(element)) {
        overflowing.push({ element: named(element), right: Math.round(box.right + scrollX) });
        if (overflowing.length >= 500) break;
      }
    }
    overflowing.sort((a, b) => b.right - a.right);
  }

  const small = [];
  const walker = document.createTreeWalker(document.body || root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode() && small.length < LIMIT) {
    const element = walker.currentNode.parentElement;
    // A letter alone is a mark; raised and lowered figures are small by nature; a drawing scales with its box.
    if (walker.currentNode.data.trim().length < 2 || element.closest('sub,sup,svg,script,style,noscript')) continue;
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (size < SMALLEST_TEXT && visible(element)) small.push({ element: named(element), pixels: size });
  }

  // WCAG 2.2, 2.5.8: a target has 24 by 24 pixels; a link or a tick may have room around it instead, and a link within
  // a sentence needs neither.
  const within = (element) => getComputedStyle(element).display === 'inline'
    && [...element.parentElement.childNodes].some((node) => node.nodeType === 3 && node.data.trim().length > 1);
  const box = (element) => {
    const boxes = [element, ...(element.labels || [])].map((node) => node.getBoundingClientRect());
    const left = Math.min(...boxes.map((one) => one.left));
    const top = Math.min(...boxes.map((one) => one.top));
    return { left, top, right: Math.max(...boxes.map((one) => one.right)), bottom: Math.max(...boxes.map((one) => one.bottom)) };
  };
  const kinds = 'a[href],button,input:not([type=hidden]),select,textarea,summary,[role=button],[role=link],[onclick]';
  const targets = [...document.querySelectorAll(kinds)].slice(0, 2000)
    .filter((element) => visible(element) && !element.disabled).map((element) => ({ element, ...box(element) }));
  const crowded = (target) => {
    const x = (target.left + target.right) / 2;
    const y = (target.top + target.bottom) / 2;
    return targets.some((other) => {
      if (other === target || other.element.contains(target.element) || target.element.contains(other.element)) return false;
      const dx = Math.max(other.left - x, 0, x - other.right);
      const dy = Math.max(other.top - y, 0, y - other.bottom);
      return Math.hypot(dx, dy) < SMALLEST_TARGET / 2;
    });
  };
  const tight = targets
    .map((target) => ({ ...target, width: target.right - target.left, height: target.bottom - target.top }))
    .filter((target) => (target.width < SMALLEST_TARGET || target.height < SMALLEST_TARGET)
      && !within(target.element) && (!target.element.matches('a,[type=checkbox],[type=radio]') || crowded(target)))
    .slice(0, LIMIT)
    .map((target) => ({ element: named(target.element), width: Math.round(target.width), height: Math.round(target.height) }));

  return {
    window_width: width, page_width: wide, page_height: root.scrollHeight,
    overflowing: overflowing.slice(0, LIMIT), small_text: small, small_targets: tight, targets: targets.length,
  };
})()
