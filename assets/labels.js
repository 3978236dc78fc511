// The label of a row in the Documents tab: a button shows its field, Enter or Escape leaves it. What is typed is never written over.
(() => {
  const left = (row) => row?.classList.remove('labelling');
  document.addEventListener('click', (event) => {
    const row = event.target.closest?.('[data-label-of]')?.closest('.d-row');
    if (!row) return;
    row.classList.add('labelling');
    row.querySelector('.d-label')?.focus();
  });
  document.addEventListener('focusout', (event) => {
    if (event.target.matches?.('.d-label')) left(event.target.closest('.d-row'));
  });
  document.addEventListener('keydown', (event) => {
    if (!event.target.matches?.('.d-label') || !['Enter', 'Escape'].includes(event.key) || event.isComposing) return;
    event.preventDefault();
    event.stopPropagation();
    event.target.closest('.d-row').focus();
  }, true);
})();
