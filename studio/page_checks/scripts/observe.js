// Put into a page before anything of it runs: what it takes to judge how fast it was. Records are taken at the end,
// because in a page that may run no script nobody calls back.
globalThis.seen = [];
globalThis.watchers = ['longtask', 'largest-contentful-paint', 'layout-shift'].map((type) => {
  const watcher = new PerformanceObserver((list) => seen.push(...list.getEntries()));
  watcher.observe({ type, buffered: true });
  return watcher;
});
