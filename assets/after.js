// Tells the other scripts that something was drawn, once a frame. Gradio writes only what differs from what was there: a drawing
// may be one text or one attribute, and an element that stays may say something else than before.
(() => {
  const TELLING = ['data-answered', 'data-given', 'data-disagree', 'data-stale', 'data-ms', 'data-local', 'data-old', 'data-save',
    'data-threshold', 'data-low', 'data-high', 'data-logit', 'data-relevant',
    'data-drawn', 'data-sorted', 'data-laid']; // the last three are the scripts' own: a drawing takes them away
  const looks = [];
  let due = false;
  window.afterDrawing = (look) => { looks.push(look); };
  const begin = () => new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; for (const look of looks) look(); });
  }).observe(document.body, {childList: true, characterData: true, subtree: true, attributeFilter: TELLING});
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);
})();
