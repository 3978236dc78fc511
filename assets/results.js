// Grades by mouse and keys, the cursor over the cards, filters and the slope. A clicked grade is painted at once and told to the
// session in one message at a time, each with every click not answered yet, so that none is lost.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const typing = (event) => event.ctrlKey || event.metaKey || event.altKey ||
    event.target.closest?.('input,textarea,select,[contenteditable=true],.cm-content');

  // ---------------------------------------------------------------- grades
  const waiting = new Map(); // document → [grade or null, number of the click]
  let clicks = 0, asked = 0;

  const paint = (doc, grade) => {
    for (const pills of all('[data-grades-of]')) {
      if (pills.dataset.gradesOf !== doc) continue;
      for (const pill of pills.children) {
        const on = String(pill.dataset.grade === String(grade));
        if (pill.getAttribute('aria-pressed') !== on) pill.setAttribute('aria-pressed', on);
      }
    }
    for (const dot of all('#score-chart .dot')) {
      if (dot.dataset.doc !== doc) continue;
      const name = grade === null ? 'dot open' : `dot g${grade}`;
      if (dot.getAttribute('class') !== name) dot.setAttribute('class', name);
    }
  };
  const tell = () => {
    if (!waiting.size || Date.now() - asked < 5000) return; // one message at a time; again when it stays unanswered
    const grader = document.querySelector('[data-grader]');
    if (!grader) return;
    asked = Date.now();
    const changes = [...waiting].map(([doc, [grade]]) => [doc, grade]);
    grader.dispatchEvent(new CustomEvent('graded', {detail: {changes, upto: clicks}}));
    setTimeout(tell, 5100);
  };
  const grade = (doc, value) => {
    waiting.set(doc, [value, ++clicks]);
    paint(doc, value);
    tell();
  };
  const toggle = (pills, value) => {
    const on = pills.querySelector('[aria-pressed=true]');
    grade(pills.dataset.gradesOf, on && Number(on.dataset.grade) === value ? null : value);
  };
  let read = '';
  const answered = () => { // what the session says of every document, but for clicks that are on their way
    const note = document.querySelector('#graded [data-answered]');
    if (!note || note.outerHTML === read) return;
    read = note.outerHTML;
    const upto = Number(note.dataset.answered), given = JSON.parse(note.dataset.given);
    for (const [doc, [, click]] of [...waiting]) if (click <= upto) waiting.delete(doc);
    for (const doc of new Set(all('[data-grades-of]').map((pills) => pills.dataset.gradesOf))) {
      if (!waiting.has(doc)) paint(doc, given[doc] ?? null);
    }
    const odd = new Set(JSON.parse(note.dataset.disagree));
    for (const card of all('#lists .card')) card.toggleAttribute('data-disagree', odd.has(card.dataset.doc));
    delete document.querySelector('#lists .res')?.dataset.laid;
    if (upto) asked = 0;
    tell();
  };
  const repaint = () => { for (const [doc, [value]] of waiting) paint(doc, value); };

  // ---------------------------------------------------------------- the cursor, and marks
  let cursor = null; // {doc, side} of the card that has the focus
  const cards = (side) => all(`#lists .card${side ? `[data-side=${side}]` : ''}`).filter((card) => card.offsetParent);
  const mark = (doc) => {
    for (const thing of all('#results [data-doc]')) {
      if (thing.matches('.card,.slope g,.rows tr')) thing.classList.toggle('marked', thing.dataset.doc === doc);
    }
  };
  const go = (card, quiet = false) => {
    if (!card) return;
    card.focus({preventScroll: quiet});
    if (!quiet) card.scrollIntoView({block: 'nearest'});
  };
  document.addEventListener('focusin', (event) => {
    const card = event.target.closest?.('#lists .card');
    cursor = card ? {doc: card.dataset.doc, side: card.dataset.side} : null;
    if (!card) return;
    for (const other of all(`#lists .card[data-side=${cursor.side}]`)) other.tabIndex = other === card ? 0 : -1;
    mark(cursor.doc);
  });
  document.addEventListener('pointerdown', (event) => { if (!event.target.closest?.('#lists')) cursor = null; });
  const restore = () => { // a new drawing of the lists takes the focus away
    if (!cursor || document.activeElement !== document.body) return;
    go(cards(cursor.side).find((card) => card.dataset.doc === cursor.doc), true);
  };

  document.addEventListener('click', (event) => {
    const pill = event.target.closest?.('[data-grade]');
    if (pill) return toggle(pill.parentElement, Number(pill.dataset.grade));
    const line = event.target.closest?.('.slope g');
    if (line) {
      const both = cards().filter((card) => card.dataset.doc === line.dataset.doc);
      for (const card of both) card.scrollIntoView({block: 'nearest'});
      go(both.find((card) => card.dataset.side === 'b') ?? both[0]);
      mark(line.dataset.doc);
    }
    const show = event.target.closest?.('[data-show]:is(button)');
    if (show) {
      document.body.dataset.show = show.dataset.show;
      for (const one of show.parentElement.children) one.setAttribute('aria-pressed', String(one === show));
      settle();
    }
  });

  let before = '', when = 0; // g and a digit is the way to another tab
  document.addEventListener('keydown', (event) => {
    if (typing(event) || event.defaultPrevented) return;
    const led = before === 'g' && Date.now() - when < 1500;
    before = event.key;
    when = Date.now();
    const card = event.target.closest?.('#lists .card');
    const step = {j: 1, k: -1, ArrowDown: card && 1, ArrowUp: card && -1}[event.key];
    if (step) {
      const list = cards(card?.dataset.side ?? 'b'), at = list.indexOf(card);
      if (!list.length) return;
      event.preventDefault();
      return go(list[card ? Math.max(0, Math.min(list.length - 1, at + step)) : 0]);
    }
    if (event.key === '/') {
      event.preventDefault();
      return document.querySelector('#show [aria-pressed=true]')?.focus();
    }
    if (event.target.closest?.('#show') && ['ArrowLeft', 'ArrowRight'].includes(event.key)) {
      const next = event.target[event.key === 'ArrowLeft' ? 'previousElementSibling' : 'nextElementSibling'];
      next?.focus();
      return next?.click();
    }
    if (!card) return;
    if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      const side = event.key === 'ArrowLeft' ? 'a' : 'b';
      return go(cards(side).find((other) => other.dataset.doc === card.dataset.doc));
    }
    const pills = card.querySelector('.pills');
    if (!pills || led) return;
    if (/^[0-3]$/.test(event.key)) grade(card.dataset.doc, Number(event.key));
    else if (event.key === 'x' || event.key === 'Backspace') grade(card.dataset.doc, null);
    else return;
    event.preventDefault();
  });

  // ---------------------------------------------------------------- the slope beside hidden cards
  const lay = () => {
    const res = document.querySelector('#lists .res'), show = document.body.dataset.show ?? 'all';
    if (!res || (res.dataset.laid ?? 'all') === show) return;
    const svg = res.querySelector('.slope svg');
    if (!svg || !svg.getBoundingClientRect().width) return;
    res.dataset.laid = show;
    const top = svg.getBoundingClientRect().top, middle = (card) => {
      const box = card.getBoundingClientRect();
      return box.top + box.height / 2 - top;
    };
    const place = {a: new Map(), b: new Map()};
    for (const card of cards()) place[card.dataset.side].set(card.dataset.doc, middle(card));
    const end = svg.viewBox.baseVal.width - 8, bend = svg.viewBox.baseVal.width / 2;
    let height = 52;
    for (const line of svg.querySelectorAll('g')) {
      const y1 = place.a.get(line.dataset.doc), y2 = place.b.get(line.dataset.doc);
      line.style.display = y1 === undefined || y2 === undefined ? 'none' : '';
      if (y1 === undefined || y2 === undefined) continue;
      height = Math.max(height, y1 + 26, y2 + 26);
      for (const path of line.querySelectorAll('path')) path.setAttribute('d', `M4 ${y1} C ${bend} ${y1} ${bend} ${y2} ${end} ${y2}`);
      line.querySelector('polygon').setAttribute('points', `${end},${y2 - 4} ${end + 7},${y2} ${end},${y2 + 4}`);
    }
    svg.setAttribute('height', height);
    svg.setAttribute('viewBox', `0 0 ${svg.viewBox.baseVal.width} ${height}`);
  };

  const settle = () => { answered(); repaint(); lay(); restore(); };
  window.afterDrawing(settle);
})();
