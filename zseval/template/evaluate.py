"""Execution: a tree, data and functions to text, with Go's rules and error texts, in bounded steps and space.

Source: text/template/exec.go for the rules, and for which node an error names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import assert_never

from zseval.model.labels import quote
from zseval.template import nodes
from zseval.template.builtins import BUILTINS
from zseval.template.calls import ANY, Environment, Function
from zseval.template.errors import CallError, ExecutionError
from zseval.template.functions import FUNCTIONS
from zseval.template.gotime import DURATION_METHODS, TIME_METHODS, Duration, Time
from zseval.template.literals import INT64, to_bytes
from zseval.template.parser import Tree
from zseval.template.printing import MAX_TEXT, sprint
from zseval.template.values import (
    AlertData,
    AnyMap,
    Int64,
    QueryResult,
    Sample,
    StringMap,
    Value,
    is_truth,
    type_name,
)

__all__ = ["execute"]

_MAX_STEPS = 100_000
_MAX_DEPTH = 50  # templates within templates; more than any message needs, and well within Python's stack
_CHARACTERS_A_STEP = 256  # what a long argument costs, so that steps bound time too


class _Break(Exception):  # noqa: N818  (control flow, not an error)
    pass


class _Continue(Exception):  # noqa: N818
    pass


class _Missing:
    """Stands for "no value came down the pipeline", which is not nil."""


_MISSING = _Missing()


def execute(
    tree: Tree, data: Value, name: str, env: Environment, variables: Sequence[tuple[str, Value]] = ()
) -> str:
    """The text a template gives. name: of the template, for errors. Raises ExecutionError.

    variables: what is known from the start, as if the template had declared it.
    """
    execution = _Execution(tree, name, env)
    try:
        execution.run(tree.main, data, variables)
    except RecursionError:
        raise execution.error("template is nested too deeply") from None
    return "".join(execution.parts)


class _Execution:
    def __init__(self, tree: Tree, name: str, env: Environment) -> None:
        self.parts: list[str] = []
        self._tree = tree
        self._main_name = name
        self._name = name
        self._env = env
        self._node: nodes.Operand | nodes.Command | nodes.Action | nodes.Template | nodes.Pipe | None = None
        self._variables: list[tuple[str, Value]] = []
        self._size = self._steps = self._depth = 0

    def run(
        self, body: Sequence[nodes.Node], data: Value, variables: Sequence[tuple[str, Value]] = ()
    ) -> None:
        """One template, with variables of its own."""
        outer = self._variables
        self._variables = [("$", data), *variables]
        self._walk(body, data)
        self._variables = outer

    def error(self, message: str) -> ExecutionError:
        """An error at the node that is being evaluated."""
        if self._node is None:
            return ExecutionError(f"template: {self._name}: {message}")
        before = self._tree.text[: self._node.offset].encode("utf-8", "surrogateescape")
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1)
        where = f"{self._main_name}:{line}:{column}"
        return ExecutionError(
            f"template: {where}: executing {quote(self._name)} at <{self._node}>: {message}"
        )

    # Nodes

    def _walk(self, body: Iterable[nodes.Node], dot: Value) -> None:
        for node in body:
            self._step()
            match node:
                case nodes.Text(_, text):
                    self._write(text)
                case nodes.Action(_, pipe):
                    self._node = node
                    value = self._pipe(dot, pipe)
                    if not pipe.declared:
                        self._write(self._printed(value))
                case nodes.If() | nodes.With():
                    self._conditional(dot, node)
                case nodes.Range():
                    self._range(dot, node)
                case nodes.Template():
                    self._template(dot, node)
                case nodes.Break():
                    raise _Break
                case nodes.Continue():
                    raise _Continue
                case nodes.Block():
                    raise AssertionError("the parser takes blocks apart")
                case _:
                    assert_never(node)

    def _step(self, cost: int = 1) -> None:
        self._steps += cost
        if self._steps > _MAX_STEPS:
            raise self.error("template takes too many steps")

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_TEXT:
            raise self.error("output is too large")
        self.parts.append(text)

    def _printed(self, value: Value) -> str:
        """A value as an action prints it: a pointer by what it points to, nil as `<no value>`."""
        if value is None:
            return "<no value>"
        try:
            text = sprint([value])
        except CallError as error:
            raise self.error(str(error)) from None
        return text.removeprefix("&") if isinstance(value, Sample) else text

    def _conditional(self, dot: Value, node: nodes.If | nodes.With) -> None:
        mark = len(self._variables)
        value = self._pipe(dot, node.pipe)
        inside = value if isinstance(node, nodes.With) else dot
        if is_truth(value):
            self._walk(node.body, inside)
        else:
            self._walk(node.otherwise, dot)
        del self._variables[mark:]

    def _range(self, dot: Value, node: nodes.Range) -> None:
        outer = len(self._variables)
        value = self._pipe(dot, node.pipe)
        mark = len(self._variables)
        empty = True
        try:
            for index, item in self._iterated(value):
                empty = False
                self._step()
                self._bind(node.pipe, index, item)
                with suppress(_Continue):
                    self._walk(node.body, item)
                del self._variables[mark:]
        except _Break:
            pass
        if empty:
            self._walk(node.otherwise, dot)
        del self._variables[outer:]

    def _iterated(self, value: Value) -> Iterable[tuple[Value, Value]]:
        match value:
            case None:
                return ()
            case QueryResult():
                return enumerate(list(value))
            case StringMap() | AnyMap():
                return [(key, value[key]) for key in sorted(value, key=to_bytes)]
            case int() if not isinstance(value, bool):
                return ((number, number) for number in range(value))
            case _:
                raise self.error(f"range can't iterate over {self._printed(value)}")

    def _bind(self, pipe: nodes.Pipe, index: Value, item: Value) -> None:
        """Set the variables of a range to this round's values; the pipeline itself pushed them first."""
        names = pipe.declared
        values = (item,) if len(names) == 1 else (index, item)
        for position, (name, value) in enumerate(zip(names, values, strict=False)):
            if pipe.is_assign:
                self._assign(name, value)
            else:
                self._variables[len(self._variables) - len(names) + position] = (name, value)

    def _template(self, dot: Value, node: nodes.Template) -> None:
        self._node = node
        body = self._tree.templates.get(node.name)
        if body is None:
            raise self.error(f"template {quote(node.name)} not defined")
        if self._depth == _MAX_DEPTH:
            raise self.error(f"exceeded maximum template depth ({_MAX_DEPTH})")
        data = None if node.pipe is None else self._pipe(dot, node.pipe)
        outer, self._name = self._name, node.name
        self._depth += 1
        self.run(body, data)
        self._depth -= 1
        self._name = outer

    # Variables

    def _variable(self, name: str) -> Value:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        raise self.error(f"undefined variable: {name}")

    def _assign(self, name: str, value: Value) -> None:
        for position in range(len(self._variables) - 1, -1, -1):
            if self._variables[position][0] == name:
                self._variables[position] = (name, value)
                return
        raise self.error(f"undefined variable: {name}")

    # Pipelines and commands

    def _pipe(self, dot: Value, pipe: nodes.Pipe) -> Value:
        self._node = pipe
        value: Value | _Missing = _MISSING
        for command in pipe.commands:
            value = self._command(dot, command, value)
        made = None if isinstance(value, _Missing) else value
        for name in pipe.declared:
            if pipe.is_assign:
                self._assign(name, made)
            else:
                self._variables.append((name, made))
        return made

    def _command(self, dot: Value, command: nodes.Command, final: Value | _Missing) -> Value:
        self._step()
        first = command.args[0]
        match first:
            case nodes.Field() | nodes.Chain() | nodes.Variable():
                return self._fields(dot, first, command.args, final)
            case nodes.Identifier(_, name):
                return self._function(dot, name, command, command.args, final)
        if not isinstance(first, nodes.Pipe):
            self._node = first
        if len(command.args) > 1 or not isinstance(final, _Missing):
            raise self.error(f"can't give argument to non-function {first}")
        match first:
            case nodes.Pipe():
                return self._pipe(dot, first)
            case nodes.Dot():
                return dot
            case nodes.Nil():
                raise self.error("nil is not a command")
            case nodes.Bool() | nodes.NumberNode() | nodes.String():
                return self._ideal(first)
            case _:
                assert_never(first)

    def _fields(
        self,
        dot: Value,
        node: nodes.Field | nodes.Chain | nodes.Variable,
        args: Sequence[nodes.Operand],
        final: Value | _Missing,
    ) -> Value:
        """A chain of fields; only the last link may be a method with arguments."""
        self._node = node
        names = node.names
        match node:
            case nodes.Field():
                receiver = dot
            case nodes.Variable():
                receiver, names = self._variable(names[0]), names[1:]
            case nodes.Chain(_, inner, _):
                if isinstance(inner, nodes.Nil):
                    raise self.error(f"indirection through explicit nil in {node}")
                receiver = self._argument(dot, ANY, inner)
        if not names:
            if len(args) > 1 or not isinstance(final, _Missing):
                raise self.error(f"can't give argument to non-function {args[0]}")
            return receiver
        for name in names[:-1]:
            receiver = self._field(dot, name, node, (), _MISSING, receiver)
        return self._field(dot, names[-1], node, args, final, receiver)

    def _field(
        self,
        dot: Value,
        name: str,
        node: nodes.Operand,
        args: Sequence[nodes.Operand],
        final: Value | _Missing,
        receiver: Value,
    ) -> Value:
        method = _method(receiver, name)
        if method is not None:
            return self._call(dot, method, node, name, args, final)
        has_args = len(args) > 1 or not isinstance(final, _Missing)
        match receiver:
            case None:
                return None
            case StringMap() | AnyMap():
                if has_args:
                    raise self.error(f"{name} is not a method but has arguments")
                return receiver.get(name, "" if isinstance(receiver, StringMap) else None)
            case _:
                fields = _struct_fields(receiver)
        if name not in fields:
            raise self.error(f"can't evaluate field {name} in type {type_name(receiver)}")
        if has_args:
            raise self.error(f"{name} has arguments but cannot be invoked as function")
        return fields[name]

    # Calls

    def _function(
        self,
        dot: Value,
        name: str,
        node: nodes.Command | nodes.Identifier,
        args: Sequence[nodes.Operand],
        final: Value | _Missing,
    ) -> Value:
        self._node = args[0]
        function = FUNCTIONS.get(name) or BUILTINS[name]
        return self._call(dot, function, node, name, args, final)

    def _call(
        self,
        dot: Value,
        function: Function,
        node: nodes.Command | nodes.Operand,
        name: str,
        args: Sequence[nodes.Operand],
        final: Value | _Missing,
    ) -> Value:
        given = list(args[1:])
        count = len(given) + (not isinstance(final, _Missing))
        self._check_count(function, name, count, len(given))
        if function is BUILTINS["and"] or function is BUILTINS["or"]:
            return self._short_circuit(dot, given, final, stop_at=function is BUILTINS["or"])
        types = _parameter_types(function, count)
        values = [self._argument(dot, kind, arg) for kind, arg in zip(types, given, strict=False)]
        if not isinstance(final, _Missing):
            values.append(self._typed(final, types[-1]))
        self._step(1 + sum(len(value) for value in values if isinstance(value, str)) // _CHARACTERS_A_STEP)
        before = (self._env,) if function.needs_environment else ()
        try:
            made: Value = function.call(*before, *values)
        except CallError as error:
            self._node = node
            raise self.error(f"error calling {name}: {error}") from error
        return made

    def _check_count(self, function: Function, name: str, count: int, given: int) -> None:
        if function.variadic:
            fixed = len(function.params) - 1
            if count < fixed:
                raise self.error(f"wrong number of args for {name}: want at least {fixed} got {given}")
        elif count != len(function.params):
            raise self.error(f"wrong number of args for {name}: want {len(function.params)} got {count}")

    def _short_circuit(
        self, dot: Value, args: Sequence[nodes.Operand], final: Value | _Missing, *, stop_at: bool
    ) -> Value:
        """`and` and `or`: the first argument that decides, or the last."""
        value: Value = None
        if not args and isinstance(final, _Missing):
            raise self.error(f"wrong number of args for {'or' if stop_at else 'and'}: want at least 1 got 0")
        for arg in args:
            value = self._argument(dot, ANY, arg)
            if is_truth(value) == stop_at:
                return value
        return value if isinstance(final, _Missing) else final

    def _argument(self, dot: Value, kind: str, node: nodes.Operand) -> Value:
        """An argument as a parameter of Go type `kind` takes it."""
        self._node = node
        match node:
            case nodes.Dot():
                return self._typed(dot, kind)
            case nodes.Nil():
                if kind not in _NILABLE:
                    raise self.error(f"cannot assign nil to {kind}")
                return _NILABLE[kind]()
            case nodes.Field():
                return self._typed(self._fields(dot, node, (node,), _MISSING), kind)
            case nodes.Variable() | nodes.Chain():
                return self._typed(self._fields(dot, node, (), _MISSING), kind)
            case nodes.Pipe():
                return self._typed(self._pipe(dot, node), kind)
            case nodes.Identifier(_, name):
                return self._typed(self._function(dot, name, node, (node,), _MISSING), kind)
            case nodes.Bool() | nodes.NumberNode() | nodes.String():
                return self._constant(node, kind)
            case _:
                assert_never(node)

    def _constant(self, node: nodes.Bool | nodes.NumberNode | nodes.String, kind: str) -> Value:
        match kind:
            case "string":
                if isinstance(node, nodes.String):
                    return node.value
                raise self.error(f"expected string; found {node}")
            case "int" | "time.Duration":
                value = node.value if isinstance(node, nodes.NumberNode) else None
                if isinstance(value, float) and value.is_integer():
                    value = int(value)
                if not isinstance(value, int):
                    raise self.error(f"expected integer; found {node}")
                return Duration(value) if kind == "time.Duration" else value
            case "interface {}":
                return self._ideal(node)
            case _:
                raise self.error(f"can't handle {node} for arg of type {kind}")

    def _ideal(self, node: nodes.Bool | nodes.NumberNode | nodes.String) -> Value:
        """A constant where nothing says which type it is to have."""
        self._node = node
        if type(node.value) is int and node.value not in INT64:
            raise self.error(f"{node} overflows int")
        return node.value

    def _typed(self, value: Value, kind: str) -> Value:
        """The value if a parameter of that type takes it."""
        if kind == ANY:
            return value
        if value is None:
            if kind not in _NILABLE:
                raise self.error(f"invalid value; expected {kind}")
            return _NILABLE[kind]()
        actual = type_name(value)
        if actual not in (kind, f"*{kind}"):
            raise self.error(f"wrong type for value; expected {kind}; got {actual}")
        return value


_NILABLE: Mapping[str, Callable[[], Value]] = {
    ANY: lambda: None,
    "*template.sample": lambda: None,
    "template.queryResult": QueryResult,
}


def _parameter_types(function: Function, count: int) -> list[str]:
    """A type for each of `count` arguments."""
    types = list(function.params)
    if function.variadic:
        types = types[:-1] + [types[-1]] * (count - len(types) + 1)
    return types


def _method(receiver: Value, name: str) -> Function | None:
    """A method of a time or duration, as a function of its arguments."""
    if not isinstance(receiver, Time | Duration):
        return None
    methods = TIME_METHODS if isinstance(receiver, Time) else DURATION_METHODS
    if name not in methods:
        return None
    params, call = methods[name]

    def bound(*args: Value) -> Value:
        made: Value = call(receiver, *args)
        return Int64(made) if name in _INT64_METHODS and isinstance(made, int) else made

    return Function(params, bound)


_INT64_METHODS = frozenset(
    ("Unix", "UnixMilli", "UnixMicro", "UnixNano", "Milliseconds", "Microseconds", "Nanoseconds")
)


def _struct_fields(receiver: Value) -> Mapping[str, Value]:
    match receiver:
        case Sample(labels, value):
            return {"Labels": labels, "Value": value}
        case AlertData(labels, external_labels, external_url, value):
            return {
                "Labels": labels,
                "ExternalLabels": external_labels,
                "ExternalURL": external_url,
                "Value": value,
            }
        case _:
            return {}
