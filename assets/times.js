// Moments in the reader's time zone: the page carries each exactly, and its text in UTC, which is replaced here.
(() => {
  const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' '), TIMES = 'time[datetime],[data-time]';
  const two = (n) => String(n).padStart(2, '0');
  const written = (date, form, utc) => {
    const of = (name) => date[`get${utc ? 'UTC' : ''}${name}`]();
    const clock = `${two(of('Hours'))}:${two(of('Minutes'))}`, day = `${of('Date')} ${MONTHS[of('Month')]}`;
    if (form === 'clock' || (form === 'short' && !utc && date.toDateString() === new Date().toDateString())) return clock;
    return form === 'long' ? `${day} ${of('FullYear')} ${clock}` : `${day} ${clock}`;
  };
  const settle = (element) => {
    const date = new Date(element.dateTime || element.dataset.time), form = element.dataset.form;
    if (!form || Number.isNaN(date.getTime())) return;
    const given = `${written(date, form, true)} UTC`;
    for (const node of element.childNodes) {
      if (node.nodeType === 3 && node.nodeValue.includes(given)) node.nodeValue = node.nodeValue.replace(given, written(date, form));
    }
  };
  const look = (root) => {
    if (root.nodeType === 3) root = root.parentElement;
    if (root?.nodeType !== 1) return;
    if (root.matches(TIMES)) settle(root);
    for (const element of root.querySelectorAll(TIMES)) settle(element);
  };
  const begin = () => {
    look(document.body);
    new MutationObserver((records) => {
      for (const {type, target, addedNodes} of records) {
        if (type === 'characterData') look(target);
        else for (const node of addedNodes) look(node);
      }
    }).observe(document.body, {childList: true, characterData: true, subtree: true});
  };
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);
})();
