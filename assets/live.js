// Live: presses Score 0.4 s after the last key in a text that shapes the prompt, or the last click that writes into one, while
// the last score here was quick. It reads what the page says of itself and writes nothing.
(() => {
  const FIELDS = '#query,#instruction-a,#instruction-b,#template-a,#template-b';
  const WRITES = ['keep', 'revert', 'reset', 'fix', 'undo'].map((does) => `#editors [data-do=${does}]`).join();
  const AFTER = 400, QUICK = 300; // ms
  const button = () => document.querySelector('[data-live-switch]');
  const on = () => localStorage.getItem('live') !== 'off';
  const last = () => document.querySelector('#verdict [data-ms]');
  const quick = () => last()?.dataset.local === 'yes' && Number(last().dataset.ms) < QUICK;
  let key = 0, answered = 0, timer = 0, composing = false, clicked = false;

  const show = () => {
    const pill = button(), pressed = String(on());
    if (!pill) return;
    if (pill.getAttribute('aria-pressed') !== pressed) pill.setAttribute('aria-pressed', pressed);
    pill.toggleAttribute('data-waits', Boolean(last()) && !quick());
  };
  const attempt = () => {
    clearTimeout(timer);
    if (!on() || key === answered || composing) return;
    const rest = key + AFTER - Date.now();
    if (rest > 0) { timer = setTimeout(attempt, rest); return; }
    if (Date.now() - key > 5000 && !document.querySelector('#stale [data-stale]')) answered = key; // it changed nothing
    if (!document.querySelector('#stale [data-stale]') || !quick() || document.querySelector('#verdict .run,[data-broken]')) return;
    answered = key;
    window.scoredBy = clicked ? 'hand' : 'live'; // of runs that follow typing the history keeps the last
    document.getElementById('score')?.click();
  };
  const byHand = (event) => { if (event.isTrusted) window.scoredBy = 'hand'; };
  document.addEventListener('click', byHand, true);
  document.addEventListener('keydown', (event) => { if (event.key === 'Enter') byHand(event); }, true);
  const typed = (event) => {
    if (!event.target.closest?.(FIELDS) || (event.type === 'keydown' && (event.ctrlKey || event.metaKey))) return;
    key = Date.now();
    clicked = false;
    attempt();
  };
  for (const name of ['keydown', 'input', 'paste', 'cut', 'drop']) document.addEventListener(name, typed, true);
  document.addEventListener('click', (event) => {
    if (!event.target.closest?.(WRITES)) return;
    key = Date.now();
    clicked = true;
    attempt();
  }, true);
  document.addEventListener('compositionstart', () => { composing = true; }, true);
  document.addEventListener('compositionend', (event) => { composing = false; typed(event); }, true);
  document.addEventListener('click', (event) => {
    if (!event.target.closest?.('[data-live-switch]')) return;
    localStorage.setItem('live', on() ? 'off' : 'on');
    show();
  });
  window.afterDrawing(() => { show(); attempt(); }); // what is stale, and how long the last run took, is said there
})();
