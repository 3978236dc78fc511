// The threshold of the grades view, the table's order and its copy, saving what is judged, times of the runs before.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // ---------------------------------------------------------------- threshold
  const chosen = {}; // side → logit
  const short = (value) => Number.isFinite(value) ? value.toFixed(2).replace(/^0(?=\.)/, '') : '–';
  const at = (figure, cut) => { // what is at or above the cut is called relevant; what is unjudged is not counted
    const dots = all('.dot[data-relevant]', figure).map((dot) => [Number(dot.dataset.logit) >= cut, dot.dataset.relevant === '1']);
    const hits = dots.filter(([above, good]) => above && good).length;
    const above = dots.filter(([up]) => up).length, good = dots.filter(([, yes]) => yes).length;
    const precision = hits / above, recall = hits / good;
    return {precision, recall, f1: above + good ? 2 * hits / (above + good) : NaN};
  };
  const write = (figure, key, text) => {
    const place = figure.querySelector(`[data-is=${key}]`);
    if (place.textContent !== text) place.textContent = text;
  };
  const draw = (figure, cut) => {
    const {low, high, left, right} = Object.fromEntries(Object.entries(figure.dataset).map(([k, v]) => [k, Number(v)]));
    const x = left + (cut - low) / (high - low) * (right - left), line = figure.querySelector('.cut');
    line.setAttribute('d', line.getAttribute('d').replace(/^M[-\d.]+/, `M${x.toFixed(1)}`));
    const dots = all('.dot', figure), above = dots.filter((dot) => Number(dot.dataset.logit) >= cut);
    for (const dot of dots) dot.classList.toggle('above', above.includes(dot));
    const found = at(figure, cut);
    write(figure, 'logit', cut.toFixed(2));
    write(figure, 'above', `${above.length} / ${dots.length}`);
    for (const key of ['precision', 'recall', 'f1']) write(figure, key, short(found[key]));
    const slider = figure.querySelector('input');
    slider.value = Math.round(Number(slider.max) * (cut - low) / (high - low));
    slider.setAttribute('aria-valuetext', cut.toFixed(2));
  };
  const best = (figure) => { // between two neighbours, where F1 is highest
    const logits = all('.dot[data-relevant]', figure).map((dot) => Number(dot.dataset.logit)).sort((a, b) => b - a);
    const cuts = logits.map((value, i) => i + 1 < logits.length ? (value + logits[i + 1]) / 2 : value - 0.05);
    return cuts.reduce((top, cut) => (at(figure, cut).f1 || 0) > (at(figure, top).f1 || 0) ? cut : top, cuts[0]);
  };
  const thresholds = () => {
    for (const figure of all('[data-threshold]:not([data-drawn])')) {
      figure.dataset.drawn = '';
      const kept = chosen[figure.dataset.threshold];
      draw(figure, kept === undefined ? best(figure) : Math.min(Math.max(kept, Number(figure.dataset.low)), Number(figure.dataset.high)));
    }
  };
  document.addEventListener('input', (event) => {
    const figure = event.target.matches?.('input[type=range]') && event.target.closest('[data-threshold]');
    if (!figure) return;
    const {low, high} = figure.dataset, share = event.target.value / event.target.max;
    chosen[figure.dataset.threshold] = Number(low) + share * (Number(high) - Number(low));
    draw(figure, chosen[figure.dataset.threshold]);
  });

  // ---------------------------------------------------------------- table
  let order = null; // [column, 1 or -1]
  const value = (row, column) => {
    const cell = row.cells[column];
    if (cell.querySelector('.pills')) return cell.querySelector('[aria-pressed=true]')?.dataset.grade ?? '';
    return cell.dataset.v;
  };
  const sort = (table) => {
    const [column, way] = order, rows = [...table.tBodies[0].rows];
    const number = column > 0;
    rows.sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (x === '' || y === '') return x === y ? 0 : x === '' ? 1 : -1; // what has no value comes last either way
      return way * (number ? Number(x) - Number(y) : x.localeCompare(y));
    });
    if (rows.some((row, i) => table.tBodies[0].rows[i] !== row)) table.tBodies[0].append(...rows);
    [...table.tHead.rows[0].cells].forEach((head, i) => {
      head.setAttribute('aria-sort', i !== column ? 'none' : way > 0 ? 'ascending' : 'descending');
    });
  };
  const tsv = (table) => { // a cell that a spreadsheet would run begins with an apostrophe, and so does one that has one
    const safe = (text) => (/^[=+\-@'\t\r]/.test(text) ? `'${text}` : text).replace(/[\t\r\n]+/g, ' ');
    const head = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((_, i) => i ? value(row, i) : safe(value(row, i))));
    return [head, ...rows].map((cells) => cells.join('\t')).join('\n') + '\n';
  };
  document.addEventListener('click', (event) => {
    const head = event.target.closest?.('[data-sort]');
    if (head) {
      const cell = head.closest('th'), first = ['document', 'a', 'b'].includes(head.dataset.sort) ? 1 : -1;
      order = [cell.cellIndex, cell.getAttribute('aria-sort') === 'none' ? first : cell.getAttribute('aria-sort') === 'ascending' ? -1 : 1];
      sort(cell.closest('table'));
    }
    const copy = event.target.closest?.('[data-tsv]');
    if (copy) {
      navigator.clipboard?.writeText(tsv(document.querySelector('#table .rows')));
      copy.textContent = 'Copied';
    }
    const find = event.target.closest?.('[data-best]');
    if (find) {
      const figure = find.closest('[data-threshold]');
      delete chosen[figure.dataset.threshold];
      draw(figure, best(figure));
    }
  });

  // ---------------------------------------------------------------- what is saved, and when a run was
  let saved = '';
  const save = () => {
    const link = document.querySelector('#saved [data-save]');
    if (!link || link.dataset.save === saved) return;
    saved = link.dataset.save;
    const bytes = Uint8Array.from(atob(link.href.split(',', 2)[1]), (c) => c.charCodeAt(0));
    const own = Object.assign(document.createElement('a'), {download: link.download, href: URL.createObjectURL(new Blob([bytes]))});
    own.click();
    setTimeout(() => URL.revokeObjectURL(own.href), 10000);
  };
  window.afterDrawing(() => {
    thresholds();
    save();
    const table = document.querySelector('#table .rows:not([data-sorted])');
    if (table && order) { table.dataset.sorted = ''; sort(table); }
  });
})();
