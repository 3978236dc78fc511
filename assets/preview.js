// The prompt panel: what is told of the token under the pointer, and what stays where it was when the panel is drawn anew;
// and what is being composed with an input method is not sent on before it is done.
(() => {
  const at = (id) => document.getElementById(id);

  // ------------------------------------------------ tokens: one is pointed at, its twin lights up
  const say = (panel, chip, twin) => {
    const line = panel.querySelector('.pointed');
    if (!line) return;
    const put = (name, text) => { line.querySelector(`[data-of=${name}]`).textContent = text; };
    line.querySelector('.hint').hidden = Boolean(chip);
    line.querySelector('.about').hidden = !chip;
    if (!chip) return;
    const first = Number(chip.dataset.i), many = Number(chip.dataset.m || 1);
    put('side', chip.closest('section').dataset.side.toUpperCase());
    put('at', many > 1 ? `${first}–${first + many - 1}` : first);
    put('id', chip.dataset.n);
    put('text', chip.dataset.r);
    put('span', chip.dataset.s || '–');
    line.querySelector('.its-twin').hidden = !twin;
    if (twin) put('twin', `${twin.closest('section').dataset.side.toUpperCase()} ${twin.dataset.i}`);
  };
  const point = (chip) => {
    const panel = at('prompt');
    panel.querySelectorAll('.t.on,.t.twin').forEach((t) => t.classList.remove('on', 'twin'));
    let twin = null;
    if (chip) {
      const other = chip.closest('section').dataset.side === 'a' ? 'b' : 'a';
      twin = chip.dataset.w && panel.querySelector(`section[data-side=${other}] [data-i="${chip.dataset.w}"]`);
      chip.classList.add('on');
      twin?.classList.add('twin');
    }
    say(panel, chip, twin);
  };
  document.addEventListener('pointerover', (event) => {
    if (!event.target.closest?.('#prompt')) return;
    const chip = event.target.closest('.chips .t[data-i]');
    if (chip && !chip.classList.contains('on')) point(chip);
  });
  document.addEventListener('keydown', (event) => {
    const toks = event.target.closest?.('.toks');
    if (!toks || event.target !== toks || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...toks.querySelectorAll('.t[data-i]')], now = all.findIndex((t) => t.classList.contains('on'));
    const step = {ArrowLeft: -1, ArrowRight: 1, Home: -all.length, End: all.length}[event.key];
    if (!step || !all.length) return;
    event.preventDefault();
    const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
    point(next);
    next.scrollIntoView({block: 'nearest'});
  });

  // ------------------------------------------------ drawn anew: scrolled, sized and focused as before
  const scrolled = {};
  const name = (drawn) => drawn.classList[0];
  const settle = () => {
    const drawn = at('prompt')?.querySelector('.drawn');
    if (drawn && scrolled[name(drawn)] && !drawn.scrollTop) drawn.scrollTop = scrolled[name(drawn)];
  };
  document.addEventListener('scroll', (event) => {
    const drawn = event.target;
    if (drawn.nodeType === 1 && drawn.matches('#prompt .drawn')) scrolled[name(drawn)] = drawn.scrollTop;
  }, true);
  document.addEventListener('pointerup', (event) => {
    const drawn = event.target.closest?.('#prompt .drawn');
    if (drawn?.style.height) at('prompt').style.setProperty('--drawn-prompt', drawn.style.height);
  });
  let pressed = null; // the switch that has the focus, as its own data
  const same = (a, b) => Object.keys(a).every((key) => key === 'order' || a[key] === b[key]);
  document.addEventListener('focusin', (event) => {
    const button = event.target.closest?.('#preview-head [data-do],#prompt [data-do]');
    pressed = button ? {...button.dataset} : null;
  });
  const refocus = () => {
    if (!pressed || (document.activeElement && document.activeElement !== document.body)) return;
    const all = [...document.querySelectorAll('#preview-head [data-do],#prompt [data-do]')];
    all.find((button) => same(pressed, button.dataset))?.focus({preventScroll: true});
  };
  const begin = () => {
    new MutationObserver((seen) => {
      if (!seen.some((m) => m.target.closest?.('#preview'))) return;
      settle();
      refocus();
    }).observe(document.body, {childList: true, subtree: true});
  };
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);

  // ------------------------------------------------ input methods
  let composing = false, last = 0, ended = [];
  window.addEventListener('compositionstart', () => { composing = true; }, true);
  window.addEventListener('compositionend', (event) => {
    const field = event.target;
    setTimeout(() => { // behind the editor's own reading of what was composed
      composing = false;
      ended.splice(0).forEach((go) => go());
      if (field.matches?.('input,textarea')) field.dispatchEvent(new Event('input', {bubbles: true}));
    }, 0);
  }, true);
  window.addEventListener('input', (event) => {
    if (composing && event.target.matches?.('input,textarea')) event.stopImmediatePropagation();
  }, true);
  window.addEventListener('keydown', (event) => {
    if (composing && (event.ctrlKey || event.metaKey)) event.stopImmediatePropagation();
  }, true);
  // A preview asked for while something is composed waits until it is done; only the last of them goes out.
  window.afterComposing = (values) => {
    if (!composing) return values;
    const mine = ++last;
    return new Promise((go) => { ended.push(() => { if (mine === last) go(values); }); });
  };
})();
