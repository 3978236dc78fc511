// Keys, drops, the theme switch and the folds. It reads no text of a document and writes nothing into a field.
(() => {
  const at = (id) => document.getElementById(id);
  const root = () => document.body;

  // Ctrl+Enter must score and change no byte: CodeMirror would insert a newline, so it is caught before it gets there.
  window.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    const press = event.key === 'Enter' ? 'score' : event.key === '.' ? 'stop' : null;
    if (!press) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat) setTimeout(() => at(press)?.click(), 30); // the last key's own event goes first
  }, true);

  const dark = (on) => { root().classList.toggle('dark', on); };
  const wanted = () => localStorage.getItem('theme') || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  const follow = () => dark(wanted() === 'dark');
  const begin = () => { // Gradio sets the system's theme whenever it mounts
    follow();
    new MutationObserver(() => {
      if (root().classList.contains('dark') !== (wanted() === 'dark')) follow();
    }).observe(root(), {attributes: true, attributeFilter: ['class']});
  };
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', follow);

  document.addEventListener('click', (event) => {
    const target = event.target.closest?.('[data-theme-switch],[data-toggle],[data-dismiss],[data-copy]');
    if (!target) return;
    if (target.matches('[data-theme-switch]')) {
      localStorage.setItem('theme', root().classList.contains('dark') ? 'light' : 'dark');
      follow();
    } else if (target.matches('[data-toggle]')) {
      const name = target.dataset.toggle;
      const open = root().dataset[name] !== 'open';
      root().dataset[name] = open ? 'open' : '';
      if (name === 'tray') target.textContent = open ? 'Fold' : 'Edit';
      if (open && name === 'paste') setTimeout(() => at('paste')?.querySelector('textarea')?.focus(), 50);
    } else if (target.matches('[data-dismiss]')) {
      target.parentElement.remove();
    } else if (target.matches('[data-copy]')) {
      navigator.clipboard?.writeText(target.closest('section').querySelector('pre').textContent);
      target.textContent = 'Copied';
    }
  });

  document.addEventListener('click', (event) => { // a new text row is there to be typed in
    if (event.target.closest?.('#add-text')) root().dataset.tray = 'open';
  }, true);

  // The scenes fold in and out; arrow keys walk over the tiles, Escape folds them.
  const scenes = (open) => {
    root().dataset.scenes = open ? 'open' : '';
    at('add-scene')?.setAttribute('aria-expanded', String(open));
  };
  document.addEventListener('click', (event) => {
    if (event.target.closest?.('#add-scene')) scenes(root().dataset.scenes !== 'open');
    if (!event.target.closest?.('#scenes .scene')) return;
    const seen = new MutationObserver(() => { // the tray shows what came in
      const strip = at('tray').querySelector('.html-container > div');
      strip.scrollTo({left: strip.scrollWidth, top: strip.scrollHeight});
      seen.disconnect();
    });
    seen.observe(at('tray'), {childList: true, subtree: true});
  });
  document.addEventListener('keydown', (event) => {
    const tile = event.target.closest?.('#scenes .scene');
    if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') {
      scenes(false);
      at('add-scene')?.focus();
      return;
    }
    const all = [...tile.parentElement.children], row = all.filter((t) => t.offsetTop === all[0].offsetTop).length;
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row}[event.key];
    if (!step) return;
    event.preventDefault();
    all[all.indexOf(tile) + step]?.focus();
  });

  // A pasted body fills the fields at once.
  document.addEventListener('paste', (event) => {
    if (event.target.closest?.('#paste')) setTimeout(() => at('paste-go')?.click(), 250);
  });

  // Files dropped anywhere on the tray go through the upload button, and so under its limits.
  const tray = (event) => event.target.closest?.('#documents');
  const input = () => document.querySelector('#files input[type=file], input#files') ||
    at('files')?.parentElement?.querySelector('input[type=file]');
  document.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    at('documents')?.classList.toggle('dropping', Boolean(tray(event)));
  });
  document.addEventListener('drop', async (event) => {
    at('documents')?.classList.remove('dropping');
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    if (!tray(event) || !input()) return;
    const files = new DataTransfer(), dropped = [...event.dataTransfer.files], folder = window.folderOf(event.dataTransfer);
    const found = (await folder)?.filter((file) => !file.name.startsWith('.')) ?? dropped; // what file managers leave in folders
    for (const file of found) files.items.add(file);
    input().files = files.files;
    input().dispatchEvent(new Event('change', {bubbles: true}));
  });
})();
