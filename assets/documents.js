// The Documents tab: selection, keys, drags, drops and pastes, figures beside their rows. What is typed is never written over.
(() => {
  const at = (id) => document.getElementById(id);
  const list = () => at('rows');
  const open = () => Boolean(list()?.offsetParent);
  const rows = () => [...(list()?.querySelectorAll('.d-row') ?? [])];
  const row = (id) => rows().find((r) => r.dataset.row === id);
  const editable = (e) => Boolean(e?.closest?.('input, textarea, select, [contenteditable=true]'));
  const tell = (event, data) => list()?.querySelector('.d-bar')
    ?.dispatchEvent(new CustomEvent('tell', {bubbles: true, detail: {event, data}}));
  const change = (data) => tell('click', data);

  const chosen = new Set();
  let anchor = null, typing = null, held = null, wanted = null, dragged = null;
  const affected = (id) => chosen.has(id) ? [...chosen] : [id];

  // ---------------------------------------------------------------- after every drawing
  const settle = () => {
    if (list()) {
      for (const id of [...chosen]) if (!row(id)) chosen.delete(id);
      mark();
      figures();
    }
    if (list() && wanted) {
      const boxes = [...(wanted.id ? row(wanted.id)?.querySelectorAll('textarea') ?? [] : list().querySelectorAll('textarea'))];
      if (boxes.length > wanted.count) {
        boxes.at(-1).focus();
        wanted = null;
      }
    }
    if (document.activeElement && document.activeElement !== document.body) return;
    if (typing) {
      const box = [...(at(typing.panel)?.querySelectorAll('textarea') ?? [])]
        .find((b) => b.dataset.id === typing.id && b.dataset.edit === typing.edit);
      if (!box) return;
      const {value, start, end} = typing; // the focus itself is noted, with the caret of a fresh box
      if (box.value !== value) box.value = value;
      box.focus({preventScroll: true});
      box.setSelectionRange(start, end);
      typing = {...typing, start, end};
    } else if (held && open()) (row(held) ?? rows()[0])?.focus();
  };
  const mark = () => {
    for (const r of rows()) r.classList.toggle('chosen', chosen.has(r.dataset.row));
    const told = list().querySelector('.d-chosen');
    if (!told) return;
    told.hidden = !chosen.size;
    const number = told.querySelector('[data-chosen]'), text = String(chosen.size);
    if (number.textContent !== text) number.textContent = text;
  };
  const figures = () => {
    const told = new Map([...document.querySelectorAll('#rows-figures [data-of]')].map((s) => [s.dataset.of, s]));
    for (const place of list().querySelectorAll('[data-figure]')) {
      const figure = told.get(place.dataset.figure);
      if (figure && figure.innerHTML !== place.innerHTML) {
        place.replaceChildren(...[...figure.childNodes].map((n) => n.cloneNode(true)));
      }
    }
  };
  const watch = () => new MutationObserver((seen) => {
    const place = ({target}) => target.closest ? target : target.parentElement; // a text that became another is a drawing too
    if (seen.some((m) => place(m)?.closest('#rows, #rows-figures, #documents-tab, #tray'))) settle();
  }).observe(document.body, {childList: true, characterData: true, subtree: true});
  if (document.body) watch();
  else document.addEventListener('DOMContentLoaded', watch);

  // ---------------------------------------------------------------- what has the focus survives a drawing
  const noted = (event) => {
    const box = event.target.closest?.('#rows textarea, #tray textarea');
    if (!box) return;
    typing = {panel: box.closest('#rows') ? 'rows' : 'tray', id: box.dataset.id, edit: box.dataset.edit, value: box.value, start: box.selectionStart, end: box.selectionEnd};
  };
  for (const name of ['focusin', 'input', 'keyup', 'click', 'select']) document.addEventListener(name, noted, true);
  document.addEventListener('focusin', (event) => {
    const r = event.target.closest?.('#rows .d-row');
    held = r && event.target === r ? r.dataset.row : null;
  });
  document.addEventListener('focusout', (event) => {
    const left = event.target;
    if (left.closest?.('#rows, #tray')) setTimeout(() => { // where a drawing took it away, it comes back
      if (!left.isConnected || left.contains(document.activeElement)) return;
      if (left.matches('textarea')) typing = null;
      else if (left.dataset.row === held) held = null;
    }, 0);
  });

  // ---------------------------------------------------------------- clicks
  const choose = (event, r) => {
    const id = r.dataset.row, all = rows().map((other) => other.dataset.row);
    if (event.shiftKey && anchor && all.includes(anchor)) {
      const [from, to] = [all.indexOf(anchor), all.indexOf(id)].sort((a, b) => a - b);
      if (!(event.ctrlKey || event.metaKey)) chosen.clear();
      for (const name of all.slice(from, to + 1)) chosen.add(name);
    } else if (event.ctrlKey || event.metaKey) {
      if (!chosen.delete(id)) chosen.add(id);
      anchor = id;
    } else {
      const only = chosen.size === 1 && chosen.has(id);
      chosen.clear();
      if (!only) chosen.add(id);
      anchor = id;
    }
    mark();
  };
  const input = (name) => document.querySelector(`#${name} input[type=file]`);
  document.addEventListener('click', (event) => {
    const target = event.target;
    if (!target.closest?.('#rows')) return;
    const pick = target.closest('[data-pick]'), many = target.closest('[data-chosen-do]'), fresh = target.closest('[data-do]');
    if (pick) input(`rows-${pick.dataset.pick}`)?.click();
    if (many) {
      change({do: many.dataset.chosenDo, ids: JSON.stringify([...chosen])});
      chosen.clear();
      mark();
    }
    if (fresh?.dataset.do === 'text') wanted = {count: list().querySelectorAll('textarea').length % 50};
    if (fresh?.dataset.do === 'words') wanted = {id: fresh.dataset.id, count: row(fresh.dataset.id).querySelectorAll('textarea').length};
    const r = target.closest('.d-row');
    if (r && !target.closest('button, input, textarea, label')) choose(event, r);
  });
  document.addEventListener('mousedown', (event) => { // shift and a click choose rows, not words
    if (event.shiftKey && event.target.closest?.('#rows .d-row') && !editable(event.target)) event.preventDefault();
  });
  document.addEventListener('change', (event) => {
    const own = event.target.closest?.('#rows [data-own]');
    if (own) change({do: 'own', what: own.dataset.own, id: own.dataset.id, at: own.dataset.at, value: own.value});
  });

  // ---------------------------------------------------------------- keys
  document.addEventListener('keydown', (event) => {
    if (!open()) return;
    const r = event.target.closest?.('#rows .d-row'), step = {ArrowUp: -1, ArrowDown: 1}[event.key];
    if (r && step && event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      change({do: 'step', by: String(step), ids: JSON.stringify(affected(r.dataset.row))});
      return;
    }
    if (editable(event.target) || event.altKey) return;
    const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey;
    if (command && key === 'z' && !event.shiftKey) {
      event.preventDefault();
      change({do: 'undo'});
    } else if (!command && key === 'escape' && chosen.size) {
      chosen.clear();
      mark();
    } else if (r && event.target === r && !command) onRow(event, r, key);
  });
  const onRow = (event, r, key) => {
    const all = rows(), by = {arrowdown: 1, j: 1, arrowup: -1, k: -1}[key], id = r.dataset.row;
    if (by) all[all.indexOf(r) + by]?.focus();
    else if (key === 'delete' || key === 'backspace') {
      const gone = affected(id), next = all.slice(all.indexOf(r)).find((o) => !gone.includes(o.dataset.row));
      held = (next ?? all.findLast((o) => !gone.includes(o.dataset.row)))?.dataset.row ?? null;
      change({do: 'remove', ids: JSON.stringify(gone)});
    } else if (/^[0-3]$/.test(key)) change({do: 'grade', id, grade: key});
    else if (key === ' ') choose({ctrlKey: true}, r);
    else if (key === 'enter') r.querySelector('textarea')?.focus();
    else return;
    event.preventDefault();
  };

  // ---------------------------------------------------------------- drags of rows
  const clear = () => {
    for (const r of document.querySelectorAll('#rows .drop-before, #rows .drop-after')) r.classList.remove('drop-before', 'drop-after');
  };
  document.addEventListener('dragstart', (event) => {
    const r = event.target.closest?.('#rows .d-handle')?.closest('.d-row');
    if (!r) return;
    dragged = affected(r.dataset.row);
    event.dataTransfer.effectAllowed = 'move';
    event.dataTransfer.setData('text/x-row', '1');
    event.dataTransfer.setDragImage(r, 12, 12);
  });
  document.addEventListener('dragend', () => {
    dragged = null;
    clear();
  });
  const over = (event) => {
    const r = event.target.closest?.('#rows .d-row'), box = r?.getBoundingClientRect();
    return r ? {r, side: event.clientY < box.top + box.height / 2 ? 'before' : 'after'} : null;
  };

  // ---------------------------------------------------------------- drops and pastes of files
  const send = (name, files) => {
    const field = input(name), kept = new DataTransfer();
    if (!field || !files.length) return;
    for (const file of files) kept.items.add(file);
    field.files = kept.files;
    field.dispatchEvent(new Event('change', {bubbles: true}));
  };
  const under = async (entry) => { // all files below a folder
    if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return found;
      for (const one of some) found.push(...await under(one));
    }
  };
  window.folderOf = (transfer) => { // a promise of what lies in it; null where only files were dropped. Asked at once, or it is gone.
    const entries = [...transfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
    return entries.some((e) => e.isDirectory) ? Promise.all(entries.map(under)).then((found) => found.flat()) : null;
  };
  document.addEventListener('dragover', (event) => {
    if (!open()) return;
    if (dragged) {
      const where = over(event);
      clear();
      if (!where) return;
      event.preventDefault();
      where.r.classList.add(`drop-${where.side}`);
    } else if (event.dataTransfer?.types.includes('Files')) {
      event.preventDefault();
      const into = event.target.closest?.('#rows [data-pick=part]');
      list().classList.toggle('dropping', !into);
      for (const button of list().querySelectorAll('[data-pick=part]')) button.classList.toggle('into', button === into);
    }
  });
  document.addEventListener('drop', async (event) => {
    if (!open()) return;
    list().classList.remove('dropping');
    if (dragged) {
      const where = over(event), ids = JSON.stringify(dragged);
      clear();
      event.preventDefault();
      if (where && !dragged.includes(where.r.dataset.row)) change({do: 'move', ids, [where.side]: where.r.dataset.row});
      dragged = null;
      return;
    }
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    const into = event.target.closest?.('#rows [data-pick=part]'), files = [...event.dataTransfer.files];
    const folder = into ? null : window.folderOf(event.dataTransfer);
    if (into) {
      into.classList.remove('into');
      change({do: 'into', id: into.dataset.id});
      send('rows-part', files);
    } else if (folder) send('rows-folder', await folder);
    else send('rows-files', files);
  });
  document.addEventListener('paste', (event) => {
    if (!open() || editable(event.target)) return;
    const files = [...event.clipboardData.files], text = event.clipboardData.getData('text/plain');
    if (!files.length && !text.trim()) return;
    event.preventDefault();
    if (files.length) send('rows-files', files);
    else tell('submit', {text});
  });
})();
