"""Lists and inspections in the format that `--format` asks for (docker/cli cli/command/formatter, inspect)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minidock.views.go import HEAD_FUNCTIONS, as_json
from minidock.views.table import table
from minidock.views.template import Template


def listing(form: str, rows: Iterable[Mapping[str, Any]], heads: Mapping[str, str], default: str,
            kind: str = "") -> str:
    r"""A list: `table`, `json`, `table {{.A}}\t{{.B}}` with a line of heads, or a template, a line for each row.

    `default` is the template of a bare `table`; `kind` the Go type that the error for an unknown field names.
    Values of a row that can be called are methods: `{{.Label "key"}}`.
    """
    if form == "json":
        return "\n".join(map(as_json, rows))
    form = default if form in ("", "table") else form
    source = form.removeprefix("table").strip(" ").replace(r"\t", "\t").replace(r"\n", "\n")
    template = Template(source, kind=kind)
    lines = [template.render(row) for row in rows]
    if not form.startswith("table"):
        return "\n".join(lines)
    head = Template(source, HEAD_FUNCTIONS, kind).render({**heads, "Label": _label_head})
    return _aligned([head, *lines])


def _label_head(name: str) -> str:
    """com.example.my-key is headed `my key`."""
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")


def _aligned(texts: Iterable[str]) -> str:
    rows = [line.split("\t") for text in texts for line in text.split("\n")]
    width = max(map(len, rows))
    head, *rest = [row + [""] * (width - len(row)) for row in rows]
    return table(head, rest)


def inspected(form: str, objects: Iterable[Mapping[str, Any]]) -> str:
    """What `inspect --format` prints: `json`, all in one array, or a template, a line for each."""
    if form == "json":
        return f"[{','.join(map(as_json, objects))}]"
    template = Template(form)
    return "\n".join(template.render(item) for item in objects)
