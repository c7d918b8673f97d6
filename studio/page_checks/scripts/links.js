// Where the page leads, and which of its own parts it leads to that are not there.
(() => {
  const found = new Map();
  for (const node of document.querySelectorAll('a[href],area[href]')) {
    const written = node.getAttribute('href').trim().slice(0, 4096);
    const key = `${node.href}`.slice(0, 4096);
    if (!found.has(key)) found.set(key, { written, url: key, element: named(node) });
    if (found.size >= 1000) break;
  }
  const here = location.href.split('#')[0];
  return [...found.values()].map((link) => {
    const [address, fragment] = [link.url.split('#')[0], link.url.split('#').slice(1).join('#')];
    if (!link.url.includes('#') || address !== here) return { ...link, fragment: null };
    let name = fragment;
    try { name = decodeURIComponent(fragment); } catch { /* It is looked for as it is written. */ }
    const there = fragment === '' || /^top$/i.test(fragment) || fragment.startsWith(':~:')
      || [fragment, name].some((id) => document.getElementById(id)
        || [...document.getElementsByName(id)].some((node) => node.matches('a')));
    return { ...link, fragment, there: Boolean(there) };
  });
})()
