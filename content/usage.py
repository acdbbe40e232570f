"""What a template names, read without running it: unknown words, bare empty fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jinja2 import nodes

from content.sandbox import LOOP_FIELDS, TESTS, TEXT_METHODS
from content.variables import ALWAYS, SOMETIMES, Kind, ListOf, Open, Record, Value
from core.errors import Problem, did_you_mean

_LOOP = Record(dict.fromkeys(LOOP_FIELDS, ALWAYS))
_ORDERING = frozenset({"lt", "lteq", "gt", "gteq"})


@dataclass(frozen=True, slots=True)
class Bare:
    """A field that is empty for some customers, shown without `default` or `if`."""

    line: int
    path: str


@dataclass(slots=True)
class Usage:
    """What a template names: mistakes, bare optional fields, and every full path."""

    problems: list[Problem] = field(default_factory=list)
    bare: list[Bare] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)


def usage_of(
    tree: nodes.Template, roots: Record, filters: Iterable[str], file: str
) -> Usage:
    """What `tree` names, checked against `roots` and the known filters."""
    reader = _Reader(roots, frozenset(filters), file)
    reader.block(tree.body, {}, frozenset())
    return reader.usage


Scope = dict[str, Kind]
Guards = frozenset[str]


class _Reader:
    def __init__(self, roots: Record, filters: frozenset[str], file: str) -> None:
        self.roots = roots
        self.filters = filters
        self.file = file
        self.usage = Usage()

    def wrong(
        self, node: nodes.Node, text: str, word: str, known: Iterable[str]
    ) -> Kind:
        hint = did_you_mean(word.rsplit(".", 1)[-1], known)
        problem = Problem(text, word, file=self.file, line=node.lineno, hint=hint)
        self.usage.problems.append(problem)
        return ALWAYS

    # Statements

    def block(self, body: list[nodes.Node], scope: Scope, guards: Guards) -> None:
        for statement in body:
            self.statement(statement, scope, guards)

    def statement(self, node: nodes.Node, scope: Scope, guards: Guards) -> None:
        match node:
            case nodes.Output():
                for shown in node.nodes:
                    self.kind(shown, scope)
                    self.note_bare(shown, scope, guards)
            case nodes.For():
                self.loop(node, scope, guards)
            case nodes.If():
                self.choice(node, scope, guards)
            case nodes.Assign(target=nodes.Name(name=name)):
                scope[name] = self.kind(node.node, scope)
            case _:
                self.wrong(
                    node, "only `{% set name = value %}` is known here", "set", ()
                )

    def loop(self, node: nodes.For, scope: Scope, guards: Guards) -> None:
        source = self.kind(node.iter, scope)
        if not isinstance(node.target, nodes.Name):
            self.wrong(node, "a loop gives one name at a time", "for", ())
            return
        element = source.element if isinstance(source, ListOf) else ALWAYS
        inner = {**scope, node.target.name: element, "loop": _LOOP}
        if node.test is not None:
            self.kind(node.test, inner)
            guards_inside = guards | _guards(node.test)
        else:
            guards_inside = guards
        self.block(node.body, inner, guards_inside)
        self.block(node.else_, scope, guards)

    def choice(self, node: nodes.If, scope: Scope, guards: Guards) -> None:
        self.kind(node.test, scope)
        self.note_bare_comparisons(node.test, scope, guards)
        self.block(node.body, scope, guards | _guards(node.test))
        otherwise = guards | _guards_of_false(node.test)
        for branch in node.elif_:
            self.choice(branch, scope, otherwise)
        self.block(node.else_, scope, otherwise)

    # Expressions

    def kind(self, node: nodes.Node, scope: Scope) -> Kind:
        match node:
            case nodes.Name():
                found = self.name(node, scope)
            case nodes.Getattr():
                found = self.attribute(node, node.attr, scope)
            case nodes.Getitem():
                found = self.element(node, scope)
            case nodes.Filter():
                found = self.filtered(node, scope)
            case nodes.Call():
                found = self.call(node, scope)
            case nodes.CondExpr():
                self.children(node, scope)
                found = self.kind(node.expr1, scope)
            case _:
                found = self.rest(node, scope)
        return found

    def rest(self, node: nodes.Node, scope: Scope) -> Kind:
        if isinstance(node, nodes.Test) and node.name not in TESTS:
            return self.wrong(node, "unknown test", node.name, TESTS)
        self.children(node, scope)
        return ALWAYS

    def children(self, node: nodes.Node, scope: Scope) -> None:
        for child in node.iter_child_nodes():
            self.kind(child, scope)

    def name(self, node: nodes.Name, scope: Scope) -> Kind:
        known = {**self.roots.fields, **scope}
        if node.name in known:
            self.usage.paths.add(node.name)
            return known[node.name]
        return self.wrong(node, "unknown variable", node.name, known)

    def attribute(
        self, node: nodes.Getattr | nodes.Getitem, attr: str, scope: Scope
    ) -> Kind:
        before = len(self.usage.problems)
        base = self.kind(node.node, scope)
        path = f"{_path(node.node) or '…'}.{attr}"
        if isinstance(base, Record) and attr in base.fields:
            self.usage.paths.add(path)
            return base.fields[attr]
        if isinstance(base, Open):
            self.usage.paths.add(path)
            return SOMETIMES
        if len(self.usage.problems) > before:
            return ALWAYS  # The name before the dot is wrong already.
        if isinstance(base, Record):
            return self.wrong(node, "unknown variable", path, base.fields)
        if attr in TEXT_METHODS:
            hint = f"Write {attr}(), or use the filter of that name."
            problem = Problem(
                "a method is called with ()", path, self.file, node.lineno, hint=hint
            )
            self.usage.problems.append(problem)
            return ALWAYS
        what = (
            "a list: loop over it" if isinstance(base, ListOf) else "no further fields"
        )
        return self.wrong(node, f"`{_path(node.node) or 'this'}` has {what}", path, ())

    def element(self, node: nodes.Getitem, scope: Scope) -> Kind:
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self.attribute(node, node.arg.value, scope)
        self.kind(node.arg, scope)
        base = self.kind(node.node, scope)
        if isinstance(base, Record):
            return self.wrong(node, "a field is named by its word", "[…]", ())
        if isinstance(base, ListOf) and not isinstance(node.arg, nodes.Slice):
            return base.element
        return base

    def filtered(self, node: nodes.Filter, scope: Scope) -> Kind:
        if node.name not in self.filters:
            self.wrong(node, "unknown filter", node.name, self.filters)
        base = self.kind(node.node, scope) if node.node is not None else ALWAYS
        for argument in [*node.args, *node.kwargs]:
            self.kind(argument, scope)
        if node.name in {"first", "last"} and isinstance(base, ListOf):
            return base.element
        if node.name in {"join", "join_and"}:
            self.joined(node, base)
        if node.name == "default" and not isinstance(base, Value):
            return base
        return ALWAYS

    def joined(self, node: nodes.Filter, base: Kind) -> None:
        if not (isinstance(base, ListOf) and isinstance(base.element, Record)):
            return
        position = 0 if node.name == "join_and" else 1
        named = [pair.value for pair in node.kwargs if pair.key == "key"]
        keys = named or node.args[position : position + 1]
        for key in keys:
            word = key.value if isinstance(key, nodes.Const) else None
            if word not in base.element.fields:
                self.wrong(node, "unknown field", str(word), base.element.fields)

    def call(self, node: nodes.Call, scope: Scope) -> Kind:
        for argument in [*node.args, *node.kwargs]:
            self.kind(argument, scope)
        match node.node:
            case nodes.Name(name="range"):
                return ListOf(ALWAYS)
            case nodes.Getattr(node=nodes.Name(name="loop"), attr="cycle"):
                return ALWAYS
            case nodes.Getattr(attr=attr) if attr in TEXT_METHODS:
                self.kind(node.node.node, scope)
                return ALWAYS
            case _:
                called = _path(node.node) or "…"
                return self.wrong(
                    node,
                    "only filters work on values; this can't be called",
                    called,
                    (),
                )

    # Optional fields

    def note_bare(self, node: nodes.Node, scope: Scope, guards: Guards) -> None:
        for found in self.bare(node, scope, guards):
            if found not in self.usage.bare:
                self.usage.bare.append(found)

    def note_bare_comparisons(
        self, test: nodes.Node, scope: Scope, guards: Guards
    ) -> None:
        # None can't be put in order, so `customer.days > 30` needs a guard as well.
        if isinstance(test, nodes.And):
            self.note_bare_comparisons(test.left, scope, guards)
            guards = guards | _guards(test.left)
            self.note_bare_comparisons(test.right, scope, guards)
        elif isinstance(test, nodes.Compare):
            if any(operand.op in _ORDERING for operand in test.ops):
                self.note_bare(test.expr, scope, guards)
        else:
            for child in test.iter_child_nodes():
                self.note_bare_comparisons(child, scope, guards)

    def bare(self, node: nodes.Node, scope: Scope, guards: Guards) -> list[Bare]:
        match node:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                return self.bare_path(node, scope, guards)
            case nodes.Filter(name="default"):
                return self.bare_among(node.args, scope, guards)
            case nodes.CondExpr():
                yes = self.bare(node.expr1, scope, guards | _guards(node.test))
                other = guards | _guards_of_false(node.test)
                no = self.bare(node.expr2, scope, other) if node.expr2 else []
                return yes + no
            case nodes.Or():
                return self.bare(node.right, scope, guards)
            case nodes.Compare() | nodes.Test() | nodes.Not() | nodes.And():
                return []
            case _:
                return self.bare_among(node.iter_child_nodes(), scope, guards)

    def bare_among(
        self, children: Iterable[nodes.Node], scope: Scope, guards: Guards
    ) -> list[Bare]:
        return [
            found for child in children for found in self.bare(child, scope, guards)
        ]

    def bare_path(self, node: nodes.Expr, scope: Scope, guards: Guards) -> list[Bare]:
        path = _path(node)
        kind = self._quiet_kind(node, scope)
        empty = isinstance(kind, Value) and kind.optional and path not in guards
        return [Bare(node.lineno, path or "this")] if empty else []

    def _quiet_kind(self, node: nodes.Expr, scope: Scope) -> Kind:
        # The statement pass has already told what is wrong here.
        told = len(self.usage.problems)
        kind = self.kind(node, scope)
        del self.usage.problems[told:]
        return kind


def _path(node: nodes.Node) -> str | None:
    match node:
        case nodes.Name(name=name):
            return str(name)
        case nodes.Getattr(node=base, attr=attr):
            return f"{_path(base) or '…'}.{attr}"
        case nodes.Getitem(node=base, arg=nodes.Const(value=value)):
            return f"{_path(base) or '…'}.{value}"
        case _:
            return None


def _guards(test: nodes.Node) -> Guards:
    """The paths that are surely there where `test` holds."""
    match test:
        case nodes.And():
            return _guards(test.left) | _guards(test.right)
        case nodes.Not():
            return _guards_of_false(test.node)
        case nodes.Compare(expr=expr):
            return _guards(expr)
        case nodes.Test(name="none" | "undefined"):
            return frozenset()
        case nodes.Test(node=node) | nodes.Filter(node=node) if node is not None:
            return _guards(node)
        case _:
            path = _path(test)
            return frozenset({path}) if path else frozenset()


def _guards_of_false(test: nodes.Node) -> Guards:
    """The paths that are surely there where `test` does not hold."""
    match test:
        case nodes.Not():
            return _guards(test.node)
        case nodes.Or():
            return _guards_of_false(test.left) | _guards_of_false(test.right)
        case nodes.Test(name="none" | "undefined", node=node):
            return _guards(node)
        case _:
            return frozenset()
