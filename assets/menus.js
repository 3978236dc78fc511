// The menus whose entries are ours, in the second language. A menu's field shows the translation while Gradio, which compares it
// with the entries' names, goes on reading and writing English. Models are names and stay as they are.
(() => {
  const OURS = ['scenario', 'target', 'export-target'];
  const native = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
  const shown = new Map(); // field → show its text again

  const dress = (field) => {
    let own = native.get.call(field);
    const show = () => native.set.call(field, window.translated(own));
    Object.defineProperty(field, 'value', {
      configurable: true, get: () => own, set: (text) => { own = String(text ?? ''); show(); },
    });
    shown.set(field, show);
    show();
  };
  const entries = (list) => { // made anew whenever the menu opens
    if (list.dataset.said) return;
    list.dataset.said = 'yes';
    const walk = document.createTreeWalker(list, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) walk.currentNode.nodeValue = window.translated(walk.currentNode.nodeValue);
    for (const one of list.querySelectorAll('[aria-label]')) one.setAttribute('aria-label', window.translated(one.ariaLabel));
  };
  const look = () => {
    for (const name of OURS) {
      const menu = document.getElementById(name), field = menu?.querySelector('input');
      if (field && !shown.has(field)) dress(field);
      for (const list of menu?.querySelectorAll('[role=listbox]') ?? []) entries(list);
    }
    for (const field of shown.keys()) if (!field.isConnected) shown.delete(field);
  };
  document.addEventListener('language', () => shown.forEach((show) => show()));
  const begin = () => new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);
})();
