// Ctrl+Shift+Enter keeps B. It presses the button and writes into no field.
(() => {
  window.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || !event.shiftKey || event.altKey || event.key !== 'Enter') return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat) setTimeout(() => document.querySelector('#head-b [data-do=keep]')?.click(), 30);
  }, true);
})();
