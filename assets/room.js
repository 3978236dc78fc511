// Which part of the page has the room: Template, Balanced or Ranking, kept by the browser.
(() => {
  const rooms = ['template', 'balanced', 'ranking'];
  const kept = () => { const room = localStorage.getItem('room'); return rooms.includes(room) ? room : 'balanced'; };
  const move = (room) => {
    document.body.dataset.room = room;
    document.querySelectorAll('.rooms [data-room]').forEach((b) => b.setAttribute('aria-pressed', String(b.dataset.room === room)));
  };
  document.addEventListener('click', (event) => {
    const button = event.target.closest?.('.rooms [data-room]');
    if (!button) return;
    localStorage.setItem('room', button.dataset.room);
    move(button.dataset.room);
    const head = document.getElementById('preview-head');
    if (button.dataset.room === 'template' && head.querySelector('.on[data-tab=prompt]')) head.querySelector('[data-tab=tokens]').click();
  });
  const begin = () => {
    move(kept());
    const seen = new MutationObserver(() => { // the switch comes with the page
      if (!document.querySelector('.rooms')) return;
      seen.disconnect();
      move(kept());
    });
    seen.observe(document.body, {childList: true, subtree: true});
  };
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);
})();
