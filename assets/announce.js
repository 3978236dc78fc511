// Says aloud, to those who listen to the page, what parts marked data-say show: "alert" at once, "status" when nothing else is said.
// The parts are drawn anew at every key, so a live region in them would speak at every key; what has stood still for a moment, while
// nobody types, is said once. Of a run that goes on, its beginning and its end are said, not each step.
(() => {
  const STILL = 800; // ms
  const SILENT = 'button,summary,style,.at,[aria-hidden=true],[data-say] [data-say]';
  const regions = {}, said = new Map(); // part → what was said of it
  let seen = '', typed = 0, timer = 0, due = false;

  const region = (kind) => {
    if (regions[kind]?.isConnected) return regions[kind];
    const made = document.createElement('div');
    made.className = 'announcer';
    made.translate = false; // it repeats what was translated
    made.setAttribute('role', kind);
    made.setAttribute('aria-live', kind === 'alert' ? 'assertive' : 'polite');
    document.body.append(made);
    return (regions[kind] = made);
  };
  const words = (mark) => {
    const found = [], walk = document.createTreeWalker(mark, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const silent = walk.currentNode.parentElement.closest(SILENT);
      if (!silent || silent.contains(mark)) found.push(walk.currentNode.nodeValue.trim());
    }
    return found.filter(Boolean).join(' ').replace(/ (?=[,.:;·])/g, '');
  };
  const runs = (mark) => mark.matches('.run');
  const bare = (mark) => (runs(mark) ? words(mark).replace(/\d[\d.,]*/g, '#') : words(mark));
  const marks = () => [...document.querySelectorAll('[data-say]')].filter((mark) => mark.checkVisibility());
  const part = (mark) => `${mark.parentElement.closest('[id]')?.id} ${mark.dataset.say}`;

  const speak = () => {
    const wait = typed + STILL - Date.now();
    if (wait > 0) { timer = setTimeout(speak, wait); return; }
    const now = new Map(), fresh = {alert: [], status: []};
    for (const mark of marks()) {
      const key = part(mark), text = mark.querySelector('.run') ? '' : bare(mark);
      if (!text) continue;
      now.set(key, (now.get(key) ?? new Set()).add(text));
      if (!said.get(key)?.has(text)) fresh[mark.dataset.say].push(words(mark));
    }
    said.clear();
    now.forEach((texts, key) => said.set(key, texts));
    for (const kind of ['alert', 'status']) if (fresh[kind].length) region(kind).textContent = [...new Set(fresh[kind])].join(' ');
  };
  const look = () => {
    due = false;
    const now = marks().map((mark) => part(mark) + bare(mark)).join('\n');
    if (now === seen) return;
    seen = now;
    clearTimeout(timer);
    timer = setTimeout(speak, STILL);
  };
  const begin = () => {
    region('alert'); // a region is heard only when it was there before its text
    region('status');
    new MutationObserver(() => {
      if (!due) due = Boolean(requestAnimationFrame(look));
    }).observe(document.body, {childList: true, subtree: true, characterData: true});
  };
  for (const name of ['keydown', 'input']) document.addEventListener(name, () => { typed = Date.now(); }, true);
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);
})();
