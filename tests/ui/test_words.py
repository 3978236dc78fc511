"""The second language has a word for everything: each message, hint and finding, and whatever our own HTML says."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.ui.sentences import ROOT, SLOT, WORDY, Source, drawn, readings, said, sources, texts, written
from workbench.scorers import _probe
from workbench.scorers._jobs import Jobs

CATALOG: dict[str, str] = json.loads((ROOT / "assets" / "words.zh.json").read_text(encoding="utf-8"))
HAN = re.compile(r"[\u4e00-\u9fff]")
# What is read out of the source and is no sentence: places of a path or a query, code, names of files and of fonts.
NAMES = {
    "from pathlib import Path": "code that is copied",
    "from workbench import load, rerank": "code that is copied",
    "for result in ranking.ranked:": "code that is copied",
    "for result in ranking.failed:": "code that is copied",
    "Noto Sans": "a font",
    "judged.jsonl": "a file",
    "template.jinja": "a file",
    "Qwen/Qwen3-VL-Reranker-2B": "a model",
    r"\|(?:image|video|vision)_?\w*\|>|": "a pattern",
    r"""\bdata:[^,\s\"']{0,200},[^\s\"'""": "a pattern",
    "nDCG@5": "a metric",
    "nDCG@{}": "a metric",
    "{} {} outside what {} knows": "its verb is put in: it stands in the catalog with `is` and with `are`",
    "small go": "a class of the style sheet",
    '{} class="renewed">{}': "an attribute and what follows it",
    "drips": "a reason for the log, which no door shows",
}


def bare(text: str) -> str:
    """Without what the page's script takes off as well: signs around a text, slots that hold HTML of their own, a full stop."""
    return re.sub(r"^(?:\{\}|[\s,;:·•→✓✕…()–—×])+|(?:\{\}|[\s,;:·.…()])+$", "", text)


def covered(text: str, catalog: Iterable[str] = CATALOG) -> bool:
    keys = set(catalog)
    whole = {text, text.rstrip("."), bare(text)}
    return bool(whole & keys) or any(bare(key) == bare(text) for key in keys if bare(key) and bare(text) in key)


def missing(found: Iterator[tuple[str, str]]) -> list[str]:
    out: dict[str, str] = {}
    for place, text in found:
        text = " ".join(text.split())
        if WORDY.search(text.replace(SLOT, "")) and text not in NAMES and not covered(text):
            out.setdefault(text, place)
    return [f"{place}: {text}" for text, place in out.items()]


def test_every_message_hint_and_finding_has_its_translation() -> None:
    every = list(said(sources("demo", "bench")))
    assert len({text for _, text in every}) > 400  # so many are read; far fewer would mean that the reader is blind
    assert not missing(iter(every))


def test_every_text_of_our_html_has_its_translation() -> None:
    every = list(drawn(sources(only="ui")))
    assert len({text for _, text in every}) > 250
    assert not missing(iter(every))


def test_what_a_remote_model_says_of_itself_has_its_translation() -> None:
    both = (False, True)
    found = [note for four in itertools.product(both, repeat=4) for note in _probe._template_faults(*four)]
    found += [*_probe._classify_faults(True, False), *_probe._activation_faults(3.0, 2.0)]
    unasked: Any = None
    jobs = Jobs(unasked, unasked, unasked, whole=True)
    jobs._differs = True
    found += jobs.notes()
    every = [part for note in found for part in re.split(r"(?<=[.]) +", note)]
    assert len(set(every)) == 10 and not missing(("a note", text) for text in every)


def test_the_prepared_questions_say_what_to_look_at_in_both_languages() -> None:
    for path in sorted((ROOT / "assets" / "scenarios").glob("*.json")):
        scenario = json.loads(path.read_text(encoding="utf-8"))
        assert {scenario["title"], scenario["need"], scenario["look"]} <= set(CATALOG), path.name


GRADIO = {"More tabs"}  # what it says by itself


def letters(text: str) -> int:
    return len(re.sub(r"\{\}|[^A-Za-z]", "", text))


def superseded(catalog: Iterable[str]) -> list[str]:
    """Entries that the source can no longer say, wholly or as a part: a third of an entry's letters must stand there."""
    every = written(sources()) | {" ".join(text.split()) for _, text in drawn(sources())}
    shown = [p.read_text(encoding="utf-8") for kind in ("*.js", "scenarios/*.json") for p in (ROOT / "assets").glob(kind)]
    whole = "\n".join([*every, *shown])
    slotted = [text for text in every if SLOT in text and letters(text) >= 5]
    patterns = [(letters(text), re.compile(".*?".join(map(re.escape, text.split(SLOT))), re.S)) for text in slotted]
    left = [key for key in catalog if key not in GRADIO and bare(key) not in whole]
    return [key for key in left if not any(3 * n >= letters(key) and p.search(key) for n, p in patterns)]


def test_every_entry_is_still_said() -> None:
    gone = "No message has the role `{}`, only `query` and `document`: what waits for it is never rendered."
    assert superseded([*CATALOG, gone]) == [gone]


def test_what_is_put_in_comes_out_once() -> None:
    for english, other in CATALOG.items():
        slots = [int(n) for n in re.findall(r"\{(\d+)t?\}", other)]
        assert set(slots) == set(range(1, english.count(SLOT) + 1)), english
        quoted = [len(re.findall(r"`[^`]*`", text)) for text in (english, other)]
        assert quoted[0] == quoted[1], f"{english}: foreign words in backticks are lost"


def test_translations_are_chinese() -> None:
    """Names, units and keys of the keyboard aside."""
    same = {key for key, other in CATALOG.items() if not HAN.search(other)}
    left = {key for key in same if re.search(r"[a-z]{3,} [a-z]{2,}", key)}
    assert not left


def test_the_catalog_cannot_end_the_element_it_stands_in() -> None:
    from workbench.ui import mount_options  # all of Gradio, which no other test here needs

    head = mount_options()["head"]
    inside = head.split('id="words-zh">', 1)[1].split("</script>", 1)[0]
    assert "<" not in inside
    assert json.loads(inside) == CATALOG


# ---------------------------------------------------------------- the reader itself
@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("'plain'", ["plain"]),
        ("f'{n} of {m} moved'", ["{} of {} moved"]),
        ("f'{count(n, \"row\")} left'", ["{} row(s) left"]),
        ("'one' if n else f'{n} more'", ["one", "{} more"]),
        ("WHY[kind]", ["this", "that"]),
        ("NAME", ["a constant"]),
    ],
)
def test_an_expression_is_read_as_what_it_may_say(code: str, wanted: list[str]) -> None:
    names = ast.parse("WHY = {1: 'this', 2: 'that'}\nNAME = 'a constant'").body
    bound = {s.targets[0].id: [s.value] for s in names if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)}
    assert readings(ast.parse(code, mode="eval").body, bound) == wanted


def test_a_sentence_that_nobody_translated_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = ROOT / "workbench" / "ui" / "page_view.py"
    source = Source(path)
    assert any(text == "Need" for _, text in drawn([source]))
    assert not covered("A sentence that is not there", CATALOG)
    assert missing(iter([("here:1", "A sentence that is not there")])) == ["here:1: A sentence that is not there"]


def test_html_is_read_as_a_reader_reads_it() -> None:
    html = '<p title="a hint">seen <b translate="no">foreign</b> and <i>{}</i> more</p><script>no(text)</script>'
    assert texts(html) == ["a hint", "seen", "and", "more"]
