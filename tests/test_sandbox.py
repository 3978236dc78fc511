"""Strangers' templates: they render as in transformers, cannot break out, and cannot hold anybody up."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bystander import Bystander
from workbench.errors import TemplateInvalid, TemplateLimit
from workbench.template import Renderer
from workbench.types import JSON, ScoreTemplate
from workbench.worker import Worker


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    worker = Worker("workbench.sandbox", seconds=1, memory_mb=512, output_bytes=1 << 20)
    yield Renderer(worker)
    worker.close()


def text(renderer: Renderer, body: str, **variables: JSON) -> str:
    return renderer.render(ScoreTemplate(body), "a query", "a document", variables=variables).text


# ---------------------------------------------------------------- the same text as production
SAME = [
    "{{ messages[0].role }}: {{ messages[0]['content'] }}",
    "{% for m in messages %}\n  {{ m.content }}\n{% endfor %}\nend\n",
    "  {% if tools %}x{% else %}y{% endif %}  \n{# gone #}\n z",
    "{% for m in messages %}{% if loop.index == 2 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
    "a{% generation %}{{ messages[1].content }}{% set x = 1 %}{% endgeneration %}{{ x is defined }}",
    "{{ 'é < 東 & \"' | tojson }}|{{ messages | tojson }}|{{ {'b': 1, 'a': [none]} | tojson(indent=1, sort_keys=true) }}",
    "{{ 'é' | tojson(ensure_ascii=true) }}{{ [1] | tojson(separators=(',', ':')) }}",
    "{{ strftime_now('%Y') }}",
    "{{ missing }}|{{ missing | default('d') }}|{{ missing is defined }}|{{ add_generation_prompt }}|{{ documents }}",
    "{% set ns = namespace(n=1, self=2) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "{{ dict(a=1).a }}{{ dict.fromkeys('ab', 2) }}",
    "{% macro m(x) %}[{{ x }}{{ caller() if caller }}]{% endmacro %}{{ m('é') }}{% call m(1) %}c{% endcall %}",
    "{{- 'kept\\n\\n' -}}\n",
    "{% raw %}{{ not }}{% endraw %}{{ '<b>' }}{{ 3.0 }}{{ true }}{{ none }}",
    "{{ (messages | selectattr('role', 'eq', 'query') | first).content | upper | replace('Q', 'q') }}",
    "{{ '%s-%s' | format(1, 'x') }}{{ '{0}{a}'.format(1, a=2) }}{{ [3, 1] | sort }}{{ 7 // 2 }}{{ 2 ** 5 }}{{ 'a' ~ 1 }}",
    "trailing newlines\n\n",
    "windows\r\nlines\r\n",
]


@pytest.mark.parametrize("body", SAME)
def test_renders_as_transformers_does(renderer: Renderer, body: str) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    messages = [{"role": "query", "content": "a query"}, {"role": "document", "content": "a document"}]
    expected, _ = render_jinja_template([messages], chat_template=body)
    assert text(renderer, body) == expected[0]


# ---------------------------------------------------------------- escapes
ESCAPES = """
{{ ''.__class__ }}
{{ ''['__class__'] }}
{{ ''.__class__.__mro__[1].__subclasses__() }}
{{ '' | attr('__class__') }}
{{ '' | attr('\\x5f\\x5fclass\\x5f\\x5f') }}
{{ [1] | map(attribute='__class__') | list }}
{{ messages | map('attr', '__class__') | list }}
{{ messages | sum(attribute='__class__') }}
{{ messages | groupby('__class__') }}
{{ messages.__class__.mro() }}
{{ messages[0].content.__class__ }}
{{ '{0.__class__}'.format(1) }}
{{ '{0.__class__.__mro__}'.format('') }}
{{ '{0[__class__]}'.format('a') }}
{{ '{a.__class__}'.format_map({'a': 1}) }}
{% set f = '{0.__class__}'.format %}{{ f(1) }}
{{ ('{0.__class__}' | attr('format'))(1) }}
{{ cycler.__init__.__globals__ }}
{{ joiner.__init__.__globals__.os }}
{{ namespace.__init__.__globals__ }}
{{ lipsum.__globals__['os'].popen('id').read() }}
{{ raise_exception.__globals__ }}
{{ strftime_now.__code__ }}
{{ range.__self__ }}
{{ dict.__class__ }}
{{ dict.mro() }}
{{ self.__init__ }}
{{ self._TemplateReference__context }}
{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}
{% macro m() %}{% endmacro %}{{ m.__call__ }}
{% for x in (x for x in messages) %}{% endfor %}{{ messages | map('upper') | attr('gi_frame') }}
{{ (messages | map('upper')).gi_frame }}
{{ messages.append(1) }}
{{ messages.sort() }}
{{ messages[0].update({'content': 'x'}) }}
{{ messages[0].pop('content') }}
{{ dict(a=1).clear() }}
{% set ns = namespace() %}{% set ns.__class__ = 1 %}
{{ namespace(__init__=1) }}
{% set l = [1] %}{{ l.extend([2]) }}
{{ 'a'.join.__self__ }}
{{ (1).__class__ }}
{{ cycler(1).next.__func__ }}
{% include '/etc/passwd' %}
{% import 'os' as os %}
{% extends '/etc/passwd' %}
{% from 'x' import y %}
{{ request.application.__globals__ }}
{{ raise_exception('as the template says') }}
""".strip().splitlines()


@pytest.mark.parametrize("body", ESCAPES)
def test_escapes_are_errors_with_a_line(renderer: Renderer, body: str) -> None:
    with pytest.raises(TemplateInvalid) as error:
        text(renderer, "fine\n\n" + body)
    assert error.value.line == 3
    assert error.value.message and "Traceback" not in error.value.message


@pytest.mark.parametrize("name", ["__class__", "__init__", "append", "mro", "_private"])
def test_names_taken_from_variables_open_nothing(renderer: Renderer, name: str) -> None:
    body = "{{ messages[name] }}" if name != "mro" else "{{ dict[name] }}{{ messages[0].content[name] }}"
    if name in ("mro", "_private"):
        assert text(renderer, body, name=name) == ""  # nothing of that name is there
    else:
        with pytest.raises(TemplateInvalid, match="not allowed"):
            text(renderer, body, name=name)


def test_one_template_leaves_nothing_for_the_next(renderer: Renderer) -> None:
    text(renderer, "{% set messages = 1 %}{% set range = 2 %}{% macro dict() %}x{% endmacro %}{{ dict() }}")
    assert text(renderer, "{{ messages | length }}{{ range(2) | list }}{{ dict(a=1) }}") == "2[0, 1]{'a': 1}"


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("a\n{{ x", 2, "unexpected end"),
        ("a\n\n{% for %}", 3, "expression"),
        ("\n{% if true %}\n", 2, "endif"),
        ("\n{{ x.y }}", 2, "'x' is undefined"),
        ("\n\n{{ 1 / 0 }}", 3, "division"),
        ("\n{{ 'a' | nofilter }}", 2, "nofilter"),
        ("{{ 'a' + 1 }}", 1, "concatenate"),
        ("{{ '\\ud83d' }}", 0, "half a character"),
        ("\n{% break %}", 0, "compile"),
    ],
)
def test_errors_name_the_line(renderer: Renderer, body: str, line: int, words: str) -> None:
    with pytest.raises(TemplateInvalid, match=words) as error:
        text(renderer, body)
    assert error.value.line == line and not isinstance(error.value, TemplateLimit)


def test_long_messages_are_cut(renderer: Renderer) -> None:
    with pytest.raises(TemplateInvalid) as error:
        text(renderer, "{{ raise_exception('x' * 1000000) }}")
    assert error.value.message == "x" * 1000 and error.value.line == 1


# ---------------------------------------------------------------- burners
SLOW = [
    "{% set a = 9 %}{{ (a**(a**8)) % 7 }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ lipsum(n=10**6) }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% autoescape 9**(9**9) %}{% endautoescape %}",
]
GREEDY = [
    "{{ 'a' * 10**9 }}",
    "{{ 'a' * 10**7 }}",
    "{{ [0] * 10**9 }}",
    "{{ range(10**9) | list }}",
    "{{ 'x' | center(10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ (1,) | batch(10**9, 'x') | list }}",
    "{{ ('a' * 10**6) | replace('a', 'b' * 1000) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "not " * 200 + "1 }}",
    "{{ 'a'" + " | upper" * 160 + " }}",
    "{{ " + " + ".join(["a"] * 100) + " }}",
    "{% if a %}" * 49 + "{{ x }}" + "{% endif %}" * 49,
    "{{ a }}" * 4001,
    "x" * ((64 << 10) + 1),
    "é" * (33 << 10),
    "{% for i in range(99999) %}eleven more {% endfor %}",
]
HARMLESS = [
    ("{% if false %}{{ 9**(9**9) }}{% endif %}ok", "ok"),
    ("{% if false %}{{ 'a' * 10**11 }}{{ range(10**10) | list }}{% endif %}ok", "ok"),
    ("{% if a %}" * 48 + "{{ x }}" + "{% endif %}" * 48 + "ok", "ok"),
    ("{{ 'a'" + " | upper" * 45 + " }}", "A"),
    ("{{ a }}" * 1300 + "ok", "ok"),
    ("x" * (64 << 10), "x" * (64 << 10)),
    ("{{ 'a' * 10**6 }}", "a" * 10**6),
]


@pytest.mark.parametrize("body", GREEDY, ids=lambda b: b[:40])
def test_greed_is_a_limit(renderer: Renderer, body: str) -> None:
    started = time.monotonic()
    with pytest.raises(TemplateLimit):
        text(renderer, body)
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize(("body", "expected"), HARMLESS, ids=lambda b: b[:40])
def test_what_is_within_the_limits_renders(renderer: Renderer, body: str, expected: str) -> None:
    assert text(renderer, body) == expected


def test_burning_templates_end_in_time_and_delay_nobody(renderer: Renderer) -> None:
    """Rendering and checking alike, while somebody else renders all the time."""
    text(renderer, "warm")
    time.sleep(0.3)
    with Bystander(lambda: text(renderer, "{{ messages[0].content }}")) as bystander:
        for body in SLOW:
            started = time.monotonic()
            with pytest.raises(TemplateLimit, match=r"longer than|memory"):
                text(renderer, body)
            assert time.monotonic() - started < 1.5, body
        with pytest.raises(TemplateLimit, match="longer than"):
            renderer.check(SLOW[-1])  # this one burns while it compiles
    assert bystander.delay < 0.25


# ---------------------------------------------------------------- where it happens
def test_the_parent_never_loads_jinja(root: Path) -> None:
    script = """
import sys
from workbench.template import Renderer
from workbench.types import ScoreTemplate
from workbench.worker import Worker
renderer = Renderer(Worker("workbench.sandbox", seconds=5, memory_mb=512, output_bytes=1 << 20))
assert renderer.render(ScoreTemplate("{{ messages[1].content }}"), "q", "d").text == "d"
assert renderer.check("{{ x }}").variables == ("x",)
assert "jinja2" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True, timeout=30)


def test_the_child_loads_nothing_heavy(root: Path) -> None:
    script = "import json, sys, workbench.sandbox; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", script], cwd=root, check=True, capture_output=True, timeout=30)
    assert not {"torch", "transformers", "gradio", "numpy", "PIL", "fastapi"} & set(json.loads(answer.stdout))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("a\n{% if %}\nb", (2, 7)), ("x {{ a b }}", (1, 8)), ("{{ a }}\n  {{ 'x }}", (2, 6)), ("{% foo %}", (1, 4)),
        ("a\r\n{{ 1 2 }}", (2, 6)), ("{% raw %}{{ }}{% endraw %}{{ 1 2 }}", (1, 32)), ("{{ a ? b }}", (1, 6)),
        ("{{ (1 }}", (1, 0)), ("{% for x in y %}\nabc", (2, 0)),  # not known exactly: none is named
    ],
)  # fmt: skip
def test_a_syntax_error_names_its_column(renderer: Renderer, source: str, place: tuple[int, int]) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        renderer.render(ScoreTemplate(source), "q", "d")
    assert (caught.value.line, caught.value.column) == place
