// What the document says of itself, and how much of it there is to see.
(() => {
  const meta = (attribute, name) => [...document.querySelectorAll(`meta[${attribute}]`)]
    .filter((node) => node.getAttribute(attribute).toLowerCase() === name)
    .map((node) => (node.content || '').slice(0, 1000))[0] ?? null;
  const text = (document.body?.innerText || '').trim();
  return {
    title: document.title.trim().slice(0, 1000),
    titles: document.querySelectorAll('head > title').length,
    lang: (document.documentElement.getAttribute('lang') || '').trim().slice(0, 100),
    description: meta('name', 'description'),
    og_title: meta('property', 'og:title'),
    og_description: meta('property', 'og:description'),
    viewport: meta('name', 'viewport'),
    text_chars: text.length,
    text: text.replace(/\s+/g, ' ').slice(0, 300),
    elements: document.querySelectorAll('*').length,
    frames: document.querySelectorAll('iframe,frame').length,
  };
})()
