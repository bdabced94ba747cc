"""The part of Go's text/template that people type after `--format`: fields, pipelines, if, range, with.

A template is read once, by recursive descent, into functions from a scope to a value. An unknown field of a
struct is an error, a missing key of a map is `<no value>` (views/go.py tells which is which).
Source: https://pkg.go.dev/text/template; docker/cli cli/command/formatter and cli/command/inspect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from minidock.errors import BadRequest
from minidock.views.go import FUNCTIONS, NO_VALUE, NULL_LIST, Map, Null, shown, typed
from minidock.views.tokens import Token, lexed, unreadable

Scope: TypeAlias = dict[str, Any]  # variables by name; "." is the dot, "$" what the template was given
Value: TypeAlias = Callable[[Scope], Any]

_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "nil": None}


class Template:
    """A template that has been read; `kind` is the Go type that errors name for a row of a list."""

    def __init__(self, source: str, functions: Mapping[str, Callable[..., Any]] = FUNCTIONS, kind: str = "") -> None:
        self._source, self._functions, self._kind = source, functions, kind
        self._tokens = lexed(source)
        self._at = 0
        self._body, word = self._block()
        if word:
            raise self._unreadable(f"unexpected {{{{{word}}}}}", self._here)

    def render(self, data: Any) -> str:
        """The text it makes of some data."""
        return str(self._body({".": data, "$": data}))

    def _unreadable(self, what: str, position: int) -> BadRequest:
        return unreadable(self._source, what, position)

    def _failed(self, what: str, node: str, position: int, hint: str) -> BadRequest:
        line, column = self._source.count("\n", 0, position) + 1, position - self._source.rfind("\n", 0, position) - 1
        node = node if len(node) <= 20 else f"{node[:20]}..."
        return BadRequest(f'template parsing error: template: :{line}:{column}: executing "" at <{node}>: {what}', hint)

    # Parsing: one method for each rule of the grammar.

    @property
    def _here(self) -> int:
        return self._tokens[self._at][2]

    def _take(self, *texts: str) -> str:
        """The next token, if it is one of these (or any)."""
        kind, text, _ = self._tokens[self._at]
        if texts and (text not in texts or kind == "text"):
            return ""
        self._at += kind != "end"
        return text

    def _block(self) -> tuple[Value, str]:
        """Everything up to `end`, `else` or the end of the template, and that word."""
        parts: list[Value] = []

        def body(scope: Scope) -> str:
            return "".join([part(scope) for part in parts])

        while self._tokens[self._at][0] != "end":
            kind, text, _ = self._tokens[self._at]
            self._at += 1
            if kind == "plain":
                parts.append(_always(text))
            elif word := self._take("end", "else"):
                return body, word
            else:
                parts.append(self._statement())
        return body, ""

    def _statement(self) -> Value:
        if word := self._take("if", "with", "range"):
            return self._control(word)
        names, value = self._declaration()
        self._close()

        def act(scope: Scope) -> str:
            result = value(scope)
            scope.update(dict.fromkeys(names, result))
            return "" if names else shown(result)
        return act

    def _close(self) -> None:
        if self._tokens[self._at][0] != "close":
            raise self._unreadable(f"unexpected {self._tokens[self._at][1] or 'EOF'!r} in operand", self._here)
        self._at += 1

    def _control(self, word: str) -> Value:
        start = self._here
        names, value = self._declaration()
        end = self._here
        self._close()
        body, ended = self._block()
        other = _always("")
        if ended == "else" and (chained := self._take("if", "with")):
            other, ended = self._control(chained), "chain"
        elif ended == "else":
            self._close()
            other, ended = self._block()
        if ended == "end":
            self._close()
        elif ended != "chain":
            raise self._unreadable("unexpected EOF", self._here)

        def act(scope: Scope) -> Any:
            result = value(scope)
            if word == "range" and not isinstance(result, Mapping | list | tuple | Null | None):
                raise self._failed(f"range can't iterate over {shown(result)}", self._source[start:end].strip(), start,
                                   "range goes over lists and maps")
            if not result:
                return other(dict(scope))
            return "".join([body({**scope, **change}) for change in _changes(word, names, result)])
        return act

    def _declaration(self) -> tuple[list[str], Value]:
        """`$key, $value := pipeline`, or a pipeline alone."""
        start, names = self._at, []
        while self._tokens[self._at][0] == "variable":
            names.append(self._take())
            if self._take(":="):
                return names, self._pipeline()
            if not self._take(","):
                break
        self._at = start
        return [], self._pipeline()

    def _pipeline(self) -> Value:
        """Commands between bars; each gets the one before as its last argument."""
        value = self._command([])
        while self._take("|"):
            value = self._command([value])
        return value

    def _command(self, before: list[Value]) -> Value:
        kind, name, position = self._tokens[self._at]
        if kind == "word" and name not in _CONSTANTS:
            self._at += 1
            return self._call(name, [*self._arguments(), *before], position)
        return self._operand(before, first=True)

    def _arguments(self) -> list[Value]:
        found = []
        while self._tokens[self._at][0] != "close" and self._tokens[self._at][1] not in ("|", ")"):
            found.append(self._operand([]))
        return found

    def _operand(self, before: list[Value], first: bool = False) -> Value:
        kind, text, position = self._tokens[self._at]
        self._at += kind not in ("field", "close", "end")
        head: Value
        if kind in ("text", "number") or text in _CONSTANTS:
            head = _always(self._literal(kind, text, position))
        elif kind == "word":
            head = self._call(text, [], position)
        elif text == "(":
            head = self._pipeline()
            if not self._take(")"):
                raise self._unreadable("unclosed left paren", position)
        elif kind in ("variable", "field") or text == ".":
            head = self._variable(text if kind == "variable" else ".", position)
        else:
            raise self._unreadable("missing value for command", position)
        return self._path(head, position, first, before)

    def _literal(self, kind: str, text: str, position: int) -> Any:
        if kind != "text":
            return int(text) if kind == "number" else _CONSTANTS[text]
        try:
            return text[1:-1] if text[0] == "`" else json.loads(text, strict=False)  # nearly all of Go's escapes
        except ValueError:
            raise self._unreadable(f"invalid syntax: {text}", position) from None

    def _variable(self, name: str, position: int) -> Value:
        def look(scope: Scope) -> Any:
            if name not in scope:
                raise self._unreadable(f'undefined variable "{name}"', position)
            return scope[name]
        return look

    def _path(self, head: Value, start: int, first: bool, before: list[Value]) -> Value:
        """`.A.B` after its head; the first operand of a command may be a method with arguments."""
        fields: list[Token] = []
        while self._tokens[self._at][0] == "field" and (not fields or self._here == _end(fields[-1])) and \
                (fields or self._here == start or self._here == _end(self._tokens[self._at - 1])):
            fields.append(self._tokens[self._at])
            self._at += 1
        arguments = [*self._arguments(), *before] if first else []
        if not fields:
            return head
        node, at = self._source[start:_end(fields[-1])], fields[min(1, len(fields) - 1)][2]  # as Go counts columns

        def walk(scope: Scope) -> Any:
            value = head(scope)
            for _, name, _ in fields[:-1]:
                value = self._field(value, name[1:], [], node, at)
            return self._field(value, fields[-1][1][1:], [argument(scope) for argument in arguments], node, at)
        return walk

    def _field(self, value: Any, name: str, arguments: list[Any], node: str, at: int) -> Any:
        if isinstance(value, Mapping) and name in value:
            found = value[name]
            if callable(found):
                return found(*arguments)
            if arguments:
                raise self._failed(f"{name} is not a method but has arguments", node, at,
                                   f"write {{{{.{name}}}}} alone")
            return typed(name, found)
        if isinstance(value, Map) or value is NO_VALUE:
            return NO_VALUE
        if isinstance(value, Mapping):
            what = f"can't evaluate field {name} in type {self._kind}" if self._kind else \
                f'map has no entry for key "{name}"'
            raise self._failed(what, node, at, _nearest(name, value))
        what = f"nil pointer evaluating interface {{}}.{name}" if value is None or isinstance(value, Null) else \
            f"can't evaluate field {name} in type interface {{}}"
        raise self._failed(what, node, at, "see what there is: --format '{{json .}}'")

    def _call(self, name: str, arguments: list[Value], position: int) -> Value:
        if name not in self._functions:
            raise self._unreadable(f'function "{name}" not defined', position)
        function, node = self._functions[name], self._source[position:_end(self._tokens[self._at - 1])]

        def call(scope: Scope) -> Any:
            values = [argument(scope) for argument in arguments]
            try:
                return function(*values)
            except (AttributeError, TypeError, ValueError) as error:
                raise self._failed(f"error calling {name}: {error}", node, position, "as {{index .Labels \"key\"}},"
                                   " {{join .List \",\"}}, {{json .}}, {{len .List}}, {{upper .Name}}") from error
        return call


def _end(token: Token) -> int:
    return token[2] + len(token[1])


def _always(value: Any) -> Value:
    return lambda _: value


def _changes(word: str, names: list[str], result: Any) -> Iterable[Scope]:
    """What if, with and range change in the scope of their body, each time it runs."""
    if word != "range":
        return [dict.fromkeys(names if word == "if" else [*names, "."], result)]
    pairs = sorted(result.items()) if isinstance(result, Mapping) else enumerate(result)
    nullable = [(key, NULL_LIST if item is None else item) for key, item in pairs]
    return [{".": item, **dict(zip(names[::-1], (item, key), strict=False))} for key, item in nullable]


def _nearest(name: str, fields: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    known = {field.lower(): field for field in fields}
    close = get_close_matches(name.lower(), known, 1)
    return f"did you mean .{known[close[0]]}?" if close else f"the fields are: .{' .'.join(fields)}"
