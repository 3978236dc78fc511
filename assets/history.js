// The history's part of the page: which browser this is, links to runs, deleting twice asked, a score after a restore.
(() => {
  // 128 random bits that stay in this browser and go along with the page's own requests: whose history is shown.
  const number = () => {
    try {
      let kept = localStorage.getItem('workbench-browser');
      if (!/^[0-9a-f]{32}$/.test(kept || '')) {
        kept = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
        localStorage.setItem('workbench-browser', kept);
      }
      return kept;
    } catch {
      return ''; // no storage: the history of this page ends with it
    }
  };
  const own = number(), send = window.fetch;
  window.fetch = (what, how) => {
    const url = new URL(what instanceof Request ? what.url : what, location.href);
    if (!own || url.origin !== location.origin) return send(what, how);
    const headers = new Headers(how?.headers ?? (what instanceof Request ? what.headers : undefined));
    headers.set('X-Workbench-Browser', own);
    if (window.scoredBy === 'live') headers.set('X-Workbench-Live', '1');
    return send(what, {...how, headers});
  };

  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('[data-link]');
    if (link) {
      const url = new URL(location.href);
      url.search = `?s=${encodeURIComponent(link.dataset.link)}`;
      url.hash = '';
      navigator.clipboard?.writeText(url.href);
      link.textContent = 'Copied';
    }
    if (event.target.closest?.('#history-run [data-do=restore]')) restored();
  });
  // Deleting is asked twice: the first click only says so.
  document.addEventListener('click', (event) => {
    const target = event.target.closest?.('[data-sure]');
    if (!target) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    target.textContent = target.dataset.sure;
    delete target.dataset.sure;
  }, true);
  // A restored run is scored once its fields are there; what is remembered costs nothing.
  const restored = () => {
    const look = document.getElementById('look');
    if (!look) return;
    const seen = new MutationObserver(() => {
      if (!look.querySelector('[data-restored]')) return;
      seen.disconnect();
      setTimeout(() => document.getElementById('score')?.click(), 80);
    });
    seen.observe(look, {childList: true, subtree: true, characterData: true});
    setTimeout(() => seen.disconnect(), 30000);
  };
})();
