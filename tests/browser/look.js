// What is wrong with the page as it stands: a list of sentences. Fields and words that cannot be seen, that leave the
// window or run over their box, and pairs of colours that cannot be read where the ground is one plain colour.
() => {
  const wrong = [];
  const width = document.documentElement.clientWidth;
  const named = (element) => `${element.tagName} ${element.textContent.slice(0, 30)}`;
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1;
  };
  if (document.documentElement.scrollWidth > width) {
    wrong.push(`wider than the window: ${document.documentElement.scrollWidth}`);
  }
  for (const element of document.querySelectorAll('h1,h2,main p,main li,label,button,input:not([type=hidden])')) {
    if (element.closest('[data-trap],[aria-hidden=true],nav')) continue;
    const box = element.getBoundingClientRect();
    if (!shown(element)) wrong.push(`cannot be seen: ${named(element)}`);
    if (box.left < -1 || box.right > width + 1) wrong.push(`out of the window: ${named(element)}`);
    if (element.scrollWidth > element.clientWidth + 2 && getComputedStyle(element).display !== 'inline') {
      wrong.push(`words run over: ${named(element)}`);
    }
  }

  const channels = (text) => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const linear = (value) => (value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const ground = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const style = getComputedStyle(node);
      const color = channels(style.backgroundColor);
      if (style.backgroundImage !== 'none') return null;
      if ((color[3] ?? 1) === 1) return color;
    }
    return null;
  };
  for (const element of document.querySelectorAll('h1,h2,p,li,label,button,a,dd,dt')) {
    if (element.closest('[data-trap],[aria-hidden=true]') || !element.textContent.trim() || !shown(element)) continue;
    const style = getComputedStyle(element);
    const behind = ground(element);
    if (behind === null) continue;
    const [more, less] = [light(channels(style.color)), light(behind)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (more + 0.05) / (less + 0.05);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`${ratio.toFixed(2)}:1 ${named(element)}`);
  }
  return wrong;
}
