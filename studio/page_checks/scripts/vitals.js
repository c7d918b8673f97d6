// What `observe.js` has seen, as numbers: milliseconds since the navigation began, and shares of the window.
(() => {
  for (const watcher of watchers) seen.push(...watcher.takeRecords());
  const of = (type) => seen.filter((entry) => entry.entryType === type);
  const paints = Object.fromEntries(performance.getEntriesByType('paint').map((entry) => [entry.name, entry.startTime]));
  const first = paints['first-contentful-paint'] ?? null;
  const largest = of('largest-contentful-paint').at(-1);
  // The worst window of shifts: at most a second between two, at most five in all (web.dev/articles/cls).
  let worst = 0;
  let sum = 0;
  let began = 0;
  let last = 0;
  for (const shift of of('layout-shift').filter((entry) => !entry.hadRecentInput)) {
    if (sum === 0 || shift.startTime - last > 1000 || shift.startTime - began > 5000) {
      sum = 0;
      began = shift.startTime;
    }
    sum += shift.value;
    last = shift.startTime;
    worst = Math.max(worst, sum);
  }
  const moved = of('layout-shift').flatMap((entry) => entry.sources || []).map((source) => source.node)
    .filter((node) => node && node.nodeType === 1).map(named);
  const tasks = of('longtask').map((entry) => ({ start: entry.startTime, duration: entry.duration }));
  return {
    first_paint_ms: first,
    largest_paint_ms: largest ? largest.startTime : null,
    largest_element: largest && largest.element ? named(largest.element) : null,
    layout_shift: worst,
    moved: [...new Set(moved)].slice(0, LIMIT),
    long_tasks: tasks.slice(0, 200),
    response_ms: performance.getEntriesByType('navigation')[0]?.responseStart ?? null,
  };
})()
