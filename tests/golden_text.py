"""Golden texts: what a user reads, kept word for word; written anew only with MINIDOCK_UPDATE_GOLDEN=1."""

from __future__ import annotations

import os
import re
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def masked(text: str, directory: Path | None = None) -> str:
    """Ids, MACs, the test's own directory and the one we stand in by a word."""
    text = text.replace(str(directory), "DIR") if directory else text
    text = text.replace(os.getcwd(), "HERE")
    text = re.sub(r"\b[0-9a-f]{64}\b", "ID64", text)
    text = re.sub(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b", "ID12", text)
    return re.sub(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", text)


def agrees(name: str, text: str) -> None:
    """The text equals tests/golden/NAME."""
    path = GOLDEN / name
    if os.environ.get("MINIDOCK_UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path} is missing: run once with MINIDOCK_UPDATE_GOLDEN=1 and read what it wrote"
    assert text == path.read_text(), f"differs from {path}"
