"""The room in which customers' texts are rendered: plain data, few words, bounded work.

A template may loop, choose and show; it can't reach Python. Everything allowed is on a
list, so what a later version of the library adds stays out. Rendering runs in the
serving process, which is fair because each step has a limit: loop turns, size of every
text made on the way, size of the numbers, size of the output.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from content.filters import filters_for, text_of

OUTPUT_CHARACTERS_MAX = 512 * 1024
RANGE_MAX = 1000
LOOP_TURNS_MAX = 10_000
# Beyond this, integer arithmetic itself becomes the attack.
NUMBER_MAX = 2**63

TEXT_METHODS = frozenset(
    {
        "upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip",
        "startswith", "endswith",
    }
)  # fmt: skip
LOOP_FIELDS = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "cycle"}
)
TESTS = frozenset(
    {
        "defined", "undefined", "none", "odd", "even", "divisibleby", "number",
        "string", "in", "==", "eq", "!=", "ne", "<", "lt", "<=", "le", ">", "gt", ">=",
        "ge",
    }
)  # fmt: skip
_ALLOWED_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign,
    nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter,
    nodes.Test, nodes.Call, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div,
    nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat, nodes.List,
    nodes.Tuple,
)  # fmt: skip


class TurnsSpent(RuntimeError):
    """A template loops more often than any mail needs."""


class OutputTooLong(RuntimeError):
    """A template writes more than any channel takes."""


class TurnBudget:
    """Counts the loop turns of one rendering, over all its loops."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = LOOP_TURNS_MAX

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TurnsSpent(f"more than {LOOP_TURNS_MAX} loop turns")


BUDGET = "_turn_budget"
_COUNTED = "_counted"
_CONCATENATED = "_concatenated"


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja with an allowlist of nodes, filters, tests, methods and operands."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, language: str, *, html: bool) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=html,
            keep_trailing_newline=True,
            trim_blocks=not html,
            lstrip_blocks=not html,
            finalize=_shown,
            cache_size=0,
        )
        known = {name: _capped(f) for name, f in filters_for(language).items()}
        self.words = frozenset(known)
        self.filters = known | {_COUNTED: _counted, _CONCATENATED: _concatenated}
        self.tests = {name: test for name, test in self.tests.items() if name in TESTS}
        self.globals = {"range": bounded_range}

    def _parse(
        self, source: str, name: str | None, filename: str | None
    ) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _refuse_unknown_nodes(tree, name)
        return tree

    def prepared(self, tree: nodes.Template) -> nodes.Template:
        """The tree with loops counted and texts joined within limits."""
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = _as_filter(loop.iter, _COUNTED)
        _replace_concats(tree)
        tree.set_environment(self)
        return tree

    def is_safe_callable(self, obj: Any) -> bool:
        if obj is bounded_range:
            return True
        owner = getattr(obj, "__self__", None)
        name = getattr(obj, "__name__", "")
        return (isinstance(owner, str) and name in TEXT_METHODS) or (
            isinstance(owner, LoopContext) and name == "cycle"
        )

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj.get(attribute)
        if isinstance(obj, str) and attribute in TEXT_METHODS:
            return getattr(obj, attribute)
        if isinstance(obj, LoopContext) and attribute in LOOP_FIELDS:
            return getattr(obj, attribute)
        if isinstance(obj, Undefined):
            str(obj)  # Raises, with the name of the root that was not given.
        return self.unsafe_undefined(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and isinstance(argument, str):
            return obj.get(argument)
        if isinstance(obj, list | tuple | str) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else None
        return self.unsafe_undefined(obj, str(argument))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return _concatenated([left, right])
        if not (_is_number(left) and _is_number(right)):
            raise SecurityError(f"`{operator}` works on numbers only")
        if abs(left) > NUMBER_MAX or abs(right) > NUMBER_MAX or operator == "**":
            raise SecurityError(f"`{operator}` on numbers of this size is not allowed")
        return super().call_binop(context, operator, left, right)


def bounded_range(*limits: int) -> range:
    """Numbers to loop over, at most a thousand."""
    numbers = range(*limits)
    if len(numbers) > RANGE_MAX:
        raise TurnsSpent(f"`range` gives at most {RANGE_MAX} numbers")
    return numbers


def _refuse_unknown_nodes(tree: nodes.Template, name: str | None) -> None:
    for node in tree.find_all(nodes.Node):
        line = node.lineno or 1
        if not isinstance(node, _ALLOWED_NODES):
            word = type(node).__name__.lower()
            raise TemplateSyntaxError(f"`{word}` is not allowed", line, name)
        if isinstance(node, nodes.For) and node.recursive:
            raise TemplateSyntaxError("`recursive` is not allowed", line, name)
        if isinstance(node, nodes.List | nodes.Tuple) and not _plain(node):
            # Lists of lists grow by doubling without taking space, until compared.
            raise TemplateSyntaxError(
                "a list may hold plain texts and numbers only", line, name
            )
        if isinstance(node, nodes.Call) and (node.dyn_args or node.dyn_kwargs):
            raise TemplateSyntaxError("`*` is not allowed here", line, name)


def _plain(node: nodes.List | nodes.Tuple) -> bool:
    if isinstance(node, nodes.Tuple) and node.ctx == "store":
        return True
    return all(isinstance(item, nodes.Const) for item in node.items)


def _as_filter(value: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno)


def _replace_concats(tree: nodes.Node) -> None:
    for node in tree.iter_child_nodes():
        _replace_concats(node)
    for key, value in list(tree.iter_fields()):
        if isinstance(value, list):
            setattr(tree, key, [_without_concat(item) for item in value])
        else:
            setattr(tree, key, _without_concat(value))


def _without_concat(value: Any) -> Any:
    if not isinstance(value, nodes.Concat):
        return value
    parts = nodes.List(value.nodes, lineno=value.lineno)
    return _as_filter(parts, _CONCATENATED)


def _shown(value: Any) -> Any:
    if isinstance(value, str | int | float):
        return value
    return text_of(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal)


def _within_limit(value: Any) -> Any:
    if isinstance(value, str) and len(value) > OUTPUT_CHARACTERS_MAX:
        raise OutputTooLong(f"a text of more than {OUTPUT_CHARACTERS_MAX} characters")
    return value


def _capped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def capped(*args: Any, **options: Any) -> Any:
        return _within_limit(function(*args, **options))

    return capped


def _concatenated(parts: list[Any]) -> str:
    return str(_within_limit("".join(text_of(part) for part in parts)))


@pass_context
def _counted(context: Context, values: Any) -> Any:
    if not isinstance(values, list | tuple | range):
        raise SecurityError("a loop needs a list")
    return _Turns(values, context[BUDGET])


class _Turns:
    """A list that charges the budget for each of its elements that a loop takes."""

    __slots__ = ("budget", "values")

    def __init__(self, values: Any, budget: TurnBudget) -> None:
        self.values = values
        self.budget = budget

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        for value in self.values:
            self.budget.spend()
            yield value
