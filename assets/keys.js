// The sheet of all keys, and those that belong to no part: g and a digit for a tab, d for the prompt's Diff view, ? for the sheet.
// Letters are off while anything is typed: Escape leaves a field, and Tab leaves an editor too, where Gradio would indent.
// Parts keep their own keys in their own scripts.
(() => {
  const KEYS = [
    [['Ctrl', 'Enter'], 'score'],
    [['Ctrl', 'Shift', 'Enter'], 'keep B'],
    [['Ctrl', '.'], 'stop'],
    [['g', '1–5'], 'the tabs, from left to right'],
    [['j', 'k'], 'the next and the previous card'],
    [['←', '→'], 'the same document on the other side'],
    [['0', '1', '2', '3'], 'grade the card'],
    [['x'], 'clear its grade'],
    [['Enter'], 'open the card'],
    [['d'], 'the Diff view of the prompt'],
    [['/'], 'the filter of the results'],
    [['Esc'], 'leave a field, close a sheet'],
    [['?'], 'this sheet'],
  ];
  const FIELD = 'input,textarea,select,[contenteditable=true],.cm-content';
  const apple = /Mac|iPhone|iPad/.test(navigator.platform);
  const PAUSE = 1500; // ms between g and its digit

  const element = (name, text, ...inside) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    made.append(...inside);
    return made;
  };
  const cap = (key) => {
    const made = element('kbd', key === 'Ctrl' && apple ? '⌘' : key);
    made.translate = false;
    return made;
  };
  const build = () => {
    const sheet = document.createElement('dialog');
    sheet.id = 'keys';
    sheet.setAttribute('aria-labelledby', 'keys-name');
    const close = element('button', 'Close');
    close.type = 'button';
    close.addEventListener('click', () => sheet.close());
    const name = element('h2', 'Keys');
    name.id = 'keys-name';
    const rows = KEYS.flatMap(([keys, said]) => {
      const caps = keys.flatMap((key, at) => (at ? [' ', cap(key)] : [cap(key)]));
      return [element('dt', '', ...caps), element('dd', said)];
    });
    sheet.append(element('header', '', name, close), element('dl', '', ...rows), element('p', 'Letters are off while you type.'));
    sheet.addEventListener('click', (event) => { if (event.target === sheet) sheet.close(); }); // beside it
    document.body.append(sheet);
    return sheet;
  };
  const show = () => {
    const sheet = document.getElementById('keys') ?? build();
    if (!sheet.open) sheet.showModal(); // Escape closes it and gives the focus back
  };
  const tabs = () => [...document.querySelectorAll('#tabs > .tab-wrapper .tab-container:not(.visually-hidden) [role=tab]')];
  const go = (digit) => {
    const tab = tabs()[digit - 1];
    tab?.click();
    tab?.focus();
  };
  const diff = () => {
    document.querySelector('#tabs [role=tab]')?.click();
    const now = document.querySelector('#preview-head .views')?.dataset.view;
    document.querySelector(`#preview-head [data-tab=${now === 'diff' ? 'prompt' : 'diff'}]`)?.click();
  };

  window.addEventListener('keydown', (event) => {
    if (event.key !== 'Tab' || event.ctrlKey || event.altKey || !event.target.closest?.('.cm-content')) return;
    if (!document.querySelector('.cm-tooltip-autocomplete')) event.stopImmediatePropagation(); // the browser moves on
  }, true);
  document.addEventListener('keydown', (event) => {
    const field = event.key === 'Escape' && !event.isComposing && event.target.closest?.(FIELD);
    if (field && field.getAttribute('aria-expanded') !== 'true' && !document.querySelector('dialog[open],.cm-tooltip')) field.blur();
  });

  let led = 0; // when g was pressed
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (event.target.closest?.(FIELD) || document.querySelector('dialog[open]') || document.body.dataset.inspector === 'open') return;
    const after = Date.now() - led < PAUSE;
    led = event.key === 'g' ? Date.now() : 0;
    if (after && /^[1-5]$/.test(event.key)) go(Number(event.key));
    else if (event.key === '?') show();
    else if (event.key === 'd') diff();
    else return;
    event.preventDefault();
  });
  document.addEventListener('click', (event) => { if (event.target.closest?.('[data-keys]')) show(); });
})();
