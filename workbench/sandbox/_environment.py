"""The Jinja environment of transformers' chat templates, which vLLM renders with, made safe for strangers' templates.

Knows nothing of prompts or segments. It differs where a difference cannot reach the text: nothing is computed while compiling,
a forbidden access is an error instead of blank text, and a template's size is limited.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, NoReturn, cast

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.meta import TrackingCodeGenerator
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_context

from workbench.errors import TemplateInvalid, TemplateLimit
from workbench.sandbox._place import column_of

MAX_BYTES, MAX_NESTING, MAX_NODES = 64 << 10, 48, 4000
FILENAME = "<template>"  # what Jinja calls a template made from a string


class Generation(Extension):
    """`{% generation %}…{% endgeneration %}`: marks an assistant's words for training; here it renders its body."""

    tags = {"generation"}  # noqa: RUF012 - the shape Jinja asks for

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: Macro) -> str:
        return caller()


class TemplateDict:
    """The `dict` of a template: the two calls of the class, without the class."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class TemplateNamespace(Namespace):
    """A `namespace()` that takes no names beginning with an underscore."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # so that namespace(self=…) works
        self, values = args[0], dict(*args[1:], **kwargs)
        for name in values:
            _check_name(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace takes no name beginning with an underscore: {name!r}")


class Environment(ImmutableSandboxedEnvironment):
    """Where the stock sandbox prints nothing for a forbidden attribute, this one raises: blank text would be scored."""

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        raise SecurityError(f"access to attribute {attribute!r} of {type(obj).__name__!r} is not allowed")

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._known(obj, attribute, super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._known(obj, argument, super().getitem(obj, argument))

    def _known(self, obj: Any, name: Any, value: Any) -> Any:
        """Reaching for an internal is a violation even where this object has none of that name."""
        if isinstance(value, jinja2.Undefined) and isinstance(name, str) and name.startswith("__"):
            self.unsafe_undefined(obj, name)
        return value


class Names(TrackingCodeGenerator):
    """Collects undeclared names as jinja2.meta does, but folds no constants: folding runs the template's arithmetic."""

    def __init__(self, environment: jinja2.Environment) -> None:
        CodeGenerator.__init__(self, environment, FILENAME, FILENAME, optimized=False)
        self.undeclared_identifiers: set[str] = set()


def _tojson(
    x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """transformers' own: no HTML escapes, and characters stay what they are."""
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)


@pass_context
def _as_is(context: Context, value: Any) -> Any:
    """A finalizer that wants the context cannot run while compiling, so no output is folded there."""
    return value


def make_environment(trim: bool = True, lstrip: bool = True, keep_newline: bool = False) -> Environment:
    """transformers' settings unless told otherwise: other programs read the same file with others."""
    environment = Environment(
        trim_blocks=trim,
        lstrip_blocks=lstrip,
        keep_trailing_newline=keep_newline,
        extensions=[Generation, "jinja2.ext.loopcontrols"],
        optimized=False,
        finalize=_as_is,
        cache_size=0,
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(
        raise_exception=_raise_exception, strftime_now=_strftime_now, dict=TemplateDict(), namespace=TemplateNamespace
    )
    return environment


def compile_template(environment: Environment, source: str) -> tuple[jinja2.Template, frozenset[str]]:
    """The template and the undeclared names it reads. Raises TemplateInvalid or TemplateLimit."""
    if len(source.encode()) > MAX_BYTES:
        raise TemplateLimit(f"is larger than {MAX_BYTES >> 10} kB")
    parser = None
    try:
        parser = Parser(environment, source)
        tree = parser.parse()
        _check_size(tree)
        names = Names(environment)
        names.visit(tree)
        return environment.from_string(tree), frozenset(names.undeclared_identifiers)
    except TemplateSyntaxError as error:
        column = column_of(environment, source, error, parser)
        raise TemplateInvalid(str(error.message), line=error.lineno, column=column) from error
    except RecursionError:
        raise TemplateLimit(f"is nested deeper than {MAX_NESTING} levels") from None
    except (TemplateError, SyntaxError, ValueError, TypeError, OverflowError) as error:
        raise TemplateInvalid(f"does not compile: {getattr(error, 'msg', error)}") from error


def _check_size(tree: nodes.Template) -> None:
    count, waiting = 0, [(cast(nodes.Node, tree), 0)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MAX_NODES:
            raise TemplateLimit(f"has more than {MAX_NODES} nodes", line=node.lineno)
        if depth > MAX_NESTING:
            raise TemplateLimit(f"is nested deeper than {MAX_NESTING} levels", line=node.lineno)
        inner = depth if isinstance(node, nodes.Template | nodes.Output) else depth + 1
        waiting += [(child, inner) for child in node.iter_child_nodes()]


def explain(error: Exception, template: jinja2.Template) -> TemplateInvalid:
    """A failure while rendering, with the line of the template it happened in."""
    line = next(_lines(error.__traceback__, template), 0)
    if isinstance(error, RecursionError):
        return TemplateLimit("calls itself too deeply", line=line)
    if isinstance(error, OverflowError) and "MAX_RANGE" in str(error):
        return TemplateLimit(str(error), line=line)
    if isinstance(error, TemplateError):
        return TemplateInvalid(str(error.message or error), line=line)
    return TemplateInvalid(f"{type(error).__name__}: {error}", line=line)


def _lines(traceback: TracebackType | None, template: jinja2.Template) -> Iterator[int]:
    """Template lines of a traceback, innermost first."""
    found = []
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILENAME:
            found.append(template.get_corresponding_lineno(traceback.tb_lineno))
        traceback = traceback.tb_next
    yield from reversed(found)
