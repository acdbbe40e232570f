"""One template: compiled and checked in the sandbox, rendered for each customer."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import jinja2
from jinja2.exceptions import TemplateSyntaxError

from content.liquid import liquid_habits
from content.sandbox import (
    BUDGET,
    OUTPUT_CHARACTERS_MAX,
    OutputTooLong,
    Sandbox,
    TurnBudget,
    TurnsSpent,
)
from content.usage import Usage, usage_of
from content.variables import ROOTS, Record
from core.errors import Problem, TemplateError, did_you_mean

SOURCE_CHARACTERS_MAX = 256 * 1024
# What an expression over a customer's data can raise; nothing else is caught.
_RENDER_ERRORS = (
    jinja2.TemplateError,
    ArithmeticError,
    TypeError,
    ValueError,
    LookupError,
    RecursionError,
    TurnsSpent,
    OutputTooLong,
)
# Texts that nest too deep break the parser of Jinja or of Python itself.
_COMPILE_ERRORS = (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError)


class Template:
    """A compiled text; `render` takes plain data."""

    def __init__(
        self, file: str, compiled: jinja2.Template, usage: Usage, places: Places
    ) -> None:
        self.file = file
        self.usage = usage
        self._compiled = compiled
        self._places = places

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text for one customer.

        Raises
        ------
        TemplateError : a value is missing or of the wrong kind, or a limit is passed;
            it names file and line.
        """
        context = self._compiled.new_context(
            {**variables, BUDGET: TurnBudget()}, shared=False
        )
        try:
            return "".join(_limited(self._compiled.root_render_func(context)))
        except _RENDER_ERRORS as error:
            line = self._line(error.__traceback__)
            file, shown = self._places.get(line or 0, (self.file, line))
            text = str(error) or type(error).__name__
            raise TemplateError(
                Problem(text, file=file, line=shown, hint=self._suspects(line))
            ) from error

    def _suspects(self, line: int | None) -> str | None:
        """The optional fields that stand bare on the line that failed."""
        paths = [found.path for found in self.usage.bare if found.line == line]
        shown = " or ".join(f"`{path}`" for path in paths)
        return f"Can be empty: {shown}." if paths else None

    def _line(self, trace: TracebackType | None) -> int | None:
        line = None
        while trace is not None:
            if trace.tb_frame.f_globals.get("__jinja_template__") is not None:
                line = self._compiled.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


# Where a line of a joined text came from.
Places = Mapping[int, tuple[str, int]]


def _limited(parts: Iterator[str]) -> Iterator[str]:
    size = 0
    for part in parts:
        size += len(part)
        if size > OUTPUT_CHARACTERS_MAX:
            raise OutputTooLong(f"more than {OUTPUT_CHARACTERS_MAX} characters")
        yield part


@functools.cache
def sandbox(language: str, *, html: bool) -> Sandbox:
    """The environment of one language and kind of text; made once."""
    return Sandbox(language, html=html)


def compile_template(
    source: str,
    file: str,
    *,
    language: str = "en",
    html: bool = False,
    roots: Record = ROOTS,
    places: Places | None = None,
) -> Template:
    """A template that is ready to render.

    Raises
    ------
    TemplateError : for every unknown variable, filter or word, and for Liquid forms,
        all at once, with file, line and the nearest known word.
    """
    environment = sandbox(language, html=html)
    tree, usage = _parsed(source, file, environment, roots)
    if usage.problems:
        raise TemplateError(*_placed(usage.problems, file, places or {}))
    try:
        code = environment.compile(environment.prepared(tree), name=file)
    except TemplateSyntaxError as error:
        raise TemplateError(_syntax_problem(error, file, environment)) from error
    except _COMPILE_ERRORS as error:
        raise TemplateError(_too_deep(file)) from error
    compiled = jinja2.Template.from_code(environment, code, environment.globals)
    return Template(file, compiled, usage, places or {})


def check_template(
    source: str, file: str, *, language: str = "en", roots: Record = ROOTS
) -> Usage:
    """What a text names, mistakes included; nothing is raised or compiled."""
    try:
        return _parsed(source, file, sandbox(language, html=False), roots)[1]
    except TemplateError as error:
        return Usage(problems=list(error.problems))


def _parsed(
    source: str, file: str, environment: Sandbox, roots: Record
) -> tuple[jinja2.nodes.Template, Usage]:
    if len(source) > SOURCE_CHARACTERS_MAX:
        limit = f"a template has at most {SOURCE_CHARACTERS_MAX} characters"
        raise TemplateError(Problem(limit, str(len(source)), file=file))
    habits = liquid_habits(source, file)
    if habits:
        raise TemplateError(*habits)
    try:
        tree = environment.parse(source, name=file)
        return tree, usage_of(tree, roots, environment.words, file)
    except TemplateSyntaxError as error:
        raise TemplateError(_syntax_problem(error, file, environment)) from error
    except _COMPILE_ERRORS as error:
        raise TemplateError(_too_deep(file)) from error


def _placed(problems: list[Problem], file: str, places: Places) -> list[Problem]:
    placed = []
    for problem in problems:
        source, line = places.get(problem.line or 0, (file, problem.line))
        placed.append(
            Problem(problem.expected, problem.value, source, line, hint=problem.hint)
        )
    return placed


def _too_deep(file: str) -> Problem:
    return Problem(
        "the template is nested too deep or holds a number too big", file=file
    )


def _syntax_problem(
    error: TemplateSyntaxError, file: str, environment: Sandbox
) -> Problem:
    message = error.message or "not a valid template"
    unknown = re.search(
        r"[Uu]nknown tag '(\w+)'|No (?:filter|test) named '(\w+)'", message
    )
    hint = None
    if unknown and "looking for" not in message:
        word = unknown[1] or unknown[2]
        hint = did_you_mean(
            word, {"for", "if", "elif", "else", "set"} | environment.words
        )
    return Problem(message, file=file, line=error.lineno, hint=hint)
