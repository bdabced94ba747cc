"""A Go template as one row of tokens: plain text, and the words of its actions between `open` and `close`."""

from __future__ import annotations

import re
from typing import TypeAlias

from minidock.errors import BadRequest

Token: TypeAlias = tuple[str, str, int]  # kind, text, position

_TOKEN = re.compile(r"""(?P<blank>\s+)|(?P<comment>/\*.*?\*/)|(?P<close>-?\}\})|(?P<number>-?\d+)|(?P<field>\.\w+)"""
                    r"""|(?P<text>"(?:\\.|[^"\\\n])*"|`[^`]*`)|(?P<variable>\$\w*)|(?P<word>\w+)"""
                    r"""|(?P<mark>:=|[.,|()])""", re.DOTALL)
_CLOSE = re.compile(r"(\s-)?\}\}")


def lexed(source: str) -> list[Token]:
    """All tokens, the last of kind `end`. `{{- ` and ` -}}` have eaten the blanks beside them."""
    found: list[Token] = []
    at, trim = 0, False
    while (start := source.find("{{", at)) >= 0:
        dash = source[start + 2:start + 3] == "-" and source[start + 3:start + 4].isspace()
        text = source[at:start].rstrip() if dash else source[at:start]
        found += [("plain", text.lstrip() if trim else text, at), ("open", "{{", start)]
        at = _action(source, found, start + 2 + dash)
        trim = source[at - 3] == "-"
    rest = source[at:]
    return [*found, ("plain", rest.lstrip() if trim else rest, at), ("end", "", len(source))]


def _action(source: str, found: list[Token], at: int) -> int:
    """Add the tokens of one action; returns where it ends. A comment is nothing at all."""
    while token := _TOKEN.match(source, at):
        kind, at = token.lastgroup or "", token.end()
        if kind == "comment":
            found.pop()
            return _after_comment(source, at)
        if kind != "blank":
            found.append((kind, token[0], token.start()))
        if kind == "close":
            return at
    raise unreadable(source, f"unexpected {source[at]!r} in command" if at < len(source) else "unclosed action", at)


def _after_comment(source: str, at: int) -> int:
    closed = _CLOSE.match(source, at)
    if closed is None:
        raise unreadable(source, "comment ends before closing delimiter", at)
    return closed.end()


def unreadable(source: str, what: str, position: int) -> BadRequest:
    """What is wrong with the text of a template, in Go's words."""
    line = source.count("\n", 0, position) + 1
    return BadRequest(f"template parsing error: template: :{line}: {what}", "as --format '{{.Name}}', or json")
