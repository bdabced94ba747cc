"""Tables as Docker prints them: upper-case heads, three blanks between columns, times in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "   ".join(text + " " * (width - _width(text)) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _width(text: str) -> int:
    """Columns on a terminal: Korean and other wide letters take two."""
    return sum(2 if 0x1100 <= ord(letter) <= 0xFFE6 and not 0x2010 <= ord(letter) <= 0x2E7F else 1
               for letter in text)


def seconds_of(stamp: str) -> float:
    """An RFC 3339 time as seconds since 1970."""
    return datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp()


def stamp(seconds: float) -> str:
    """Seconds since 1970 as an RFC 3339 time."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def duration(seconds: float) -> str:
    """Docker's HumanDuration: the largest unit that says it."""
    steps = ((60, 1, "second"), (3600, 60, "minute"), (86400, 3600, "hour"), (86400 * 14, 86400, "day"),
             (86400 * 60, 86400 * 7, "week"), (86400 * 365 * 2, 86400 * 30, "month"))
    if seconds < 1:
        return "Less than a second"
    for limit, unit, word in steps:
        if seconds < limit:
            return _counted(int(seconds // unit), word)
    return f"{int(seconds // (86400 * 365))} years"


def _counted(number: int, word: str) -> str:
    if number == 1 and word != "second":
        return {"minute": "About a minute", "hour": "About an hour"}.get(word, f"1 {word}")
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def since(stamp: str, now: float) -> str:
    """How long it was from then to `now` (seconds since 1970)."""
    return duration(max(0.0, now - seconds_of(stamp)))
