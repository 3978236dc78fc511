// The inspector: a card opens it, Escape or a click beside it closes it, focus stays inside and goes back. It reads no text.
(() => {
  const at = (id) => document.getElementById(id);
  const door = (what) => at('inspect-door')?.querySelector(`[data-do=${what}]`);
  const isOpen = () => document.body.dataset.inspector === 'open';
  const typing = (target) => target?.closest?.('input,textarea,select,[contenteditable=true],.cm-editor');
  let back = null;

  const open = (card) => {
    const wish = door('open'), sheet = at('inspector');
    if (!wish || !sheet || !card.dataset.doc) return;
    if (!isOpen()) back = card;
    wish.dataset.doc = card.dataset.doc;
    wish.dataset.side = card.dataset.side || 'b';
    document.body.dataset.inspector = 'open';
    sheet.setAttribute('role', 'dialog');
    sheet.setAttribute('aria-modal', 'true');
    sheet.setAttribute('aria-label', 'Inspector');
    sheet.scrollTop = 0;
    sheet.querySelector('[data-inspector-close]')?.focus();
    wish.click();
  };
  const close = () => {
    if (!isOpen()) return;
    document.body.dataset.inspector = '';
    at('inspector').querySelectorAll('video').forEach((video) => video.pause());
    door('stop')?.click(); // what still runs ends with it
    const again = back && [...document.querySelectorAll('#lists .card')].find(
      (card) => card.dataset.doc === back.dataset.doc && card.dataset.side === back.dataset.side);
    if (again) {
      again.tabIndex = -1;
      again.focus({preventScroll: true});
    }
    back = null;
  };

  document.addEventListener('click', (event) => {
    const target = event.target;
    if (isOpen()) {
      if (target.closest?.('[data-inspector-close]') || !target.closest?.('#inspector,#inspect-door')) close();
      return;
    }
    const card = target.closest?.('#lists .card');
    if (!card || target.closest('button,a,input,[data-do],[data-grade]') || !target.closest('.what,.th')) return;
    open(card);
  });
  window.addEventListener('keydown', (event) => {
    if (isOpen()) {
      if (event.key === 'Escape') {
        event.preventDefault();
        event.stopImmediatePropagation();
        close();
      } else if (event.key === 'Tab') {
        const all = [...at('inspector').querySelectorAll('button,summary,video,[href],input')].filter((e) => e.offsetParent && !e.disabled);
        const here = all.indexOf(document.activeElement), step = event.shiftKey ? -1 : 1;
        event.preventDefault();
        all[(here + step + all.length) % all.length]?.focus();
      } else if (!event.ctrlKey && !event.metaKey && !event.altKey && event.key.length === 1 && event.key !== ' ') {
        event.stopImmediatePropagation(); // letters mean the page behind it
      }
      return;
    }
    if (event.key !== 'Enter' || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || typing(event.target)) return;
    if (event.target.closest?.('button,a,summary,[role=tab],[role=option]')) return;
    const card = event.target.closest?.('#lists .card') ||
      document.querySelector('#lists .card.cursor, #lists .card[data-cursor], #lists .card[aria-current=true]');
    if (!card) return;
    event.preventDefault(); // else the key would press the button that gets the focus now
    open(card);
  }, true);
})();
