"""No answer is lost where a question is put while the server's word that the last stream ended is still on its way."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PATIENCE, Open

# A network on which the word of the end, and nothing else, takes its time.
LATE = """(() => {
  const ask = window.fetch.bind(window), reader = new TextDecoder();
  window.fetch = async (input, init) => {
    const response = await ask(input, init);
    if (!String(input.url ?? input).includes('/queue/data')) return response;
    const late = new TransformStream({async transform(chunk, out) {
      if (reader.decode(chunk).includes('close_stream')) {
        window.closing = true;
        await new Promise((done) => setTimeout(done, 1500));
        window.closing = false;
      }
      out.enqueue(chunk);
    }});
    return new Response(response.body.pipeThrough(late), {status: response.status, headers: response.headers});
  };
})()"""
PASTE = """text => {
  const kept = new DataTransfer();
  kept.setData('text/plain', text);
  document.body.dispatchEvent(new ClipboardEvent('paste', {bubbles: true, cancelable: true, clipboardData: kept}));
}"""


def test_a_question_put_while_the_stream_of_answers_closes_is_answered(open_page: Open) -> None:
    page = open_page(before=LATE)
    page.get_by_role("tab", name="Documents").click()
    expect(rows(page)).to_have_count(7, timeout=PATIENCE)
    page.evaluate(PASTE, "the first")
    for count in (9, 10, 11):
        page.wait_for_function("window.closing")  # the server has ended its stream, the page has not heard of it
        page.evaluate(PASTE, f"row {count}")
        expect(rows(page)).to_have_count(count, timeout=PATIENCE)


def rows(page: Page) -> Locator:
    return page.locator("#rows .d-row")
