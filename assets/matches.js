// A line of the table of matches shows the place in the document that it is about. It reads no text.
(() => {
  const lit = (line) => {
    for (const place of document.querySelectorAll('#inspector-why [data-found]')) {
      place.classList.toggle('lit', Boolean(line) && place.dataset.found.split(' ').includes(line.dataset.finds));
    }
  };
  document.addEventListener('mouseover', (event) => {
    const why = event.target.closest?.('#inspector-why');
    if (why) lit(event.target.closest('[data-finds]'));
  });
})();
