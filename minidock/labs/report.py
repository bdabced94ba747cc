"""What the teacher reads: every lab begun, how it went, and the frames that prove it."""

from __future__ import annotations

import csv
import html
import io
import json
from typing import Any

from minidock.labs import course
from minidock.labs.desk import Desk

COLUMNS = ("lab", "name", "seed", "state", "checks", "proven", "hints", "score", "assisted", "prediction",
           "foretold", "passed", "sha256")


def row(desk: Desk) -> dict[str, Any]:
    """One lab of one learner."""
    checks = desk.state["checks"]
    proving = next((check for check in checks if check["passed"]), None) or (checks[-1] if checks else {})
    verdicts = list(proving.get("proofs", {}).values())
    proven = verdicts.count("proven")
    state = "passed" if desk.state["passed"] else "failed" if checks else "started"
    return {"lab": desk.folder.name, "name": desk.playground, "seed": desk.state["seed"], "state": state,
            "checks": len(checks), "proven": f"{proven}/{len(verdicts)}", "hints": desk.state["hints"],
            "score": max(0, proven - desk.state["hints"]), "assisted": desk.state["assisted"],
            "prediction": desk.state["prediction"], "foretold": course.foretold(desk),
            "passed": desk.state["passed"], "sha256": proving.get("sha256", ""),
            "evidence": proving.get("evidence", ""), "proofs": proving.get("proofs", {}),
            "mistakes": list(dict.fromkeys(check["mistake"] for check in checks if check["mistake"]))}


def as_json(desks: list[Desk]) -> str:
    """Everything."""
    labs = [row(desk) for desk in desks]
    return json.dumps({"schema": "minidock.lab-report/v1", "labs": labs}, ensure_ascii=False, indent=2)


def as_csv(desks: list[Desk]) -> str:
    """A line a lab, for a spreadsheet."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(desk) for desk in desks)
    return out.getvalue().rstrip("\n")


def as_table(desks: list[Desk]) -> str:
    """For a terminal: a summary, and the failed proofs by name."""
    rows = [row(desk) for desk in desks]
    passed = sum(each["state"] == "passed" for each in rows)
    lines = [f"{passed} of {len(rows)} labs passed"]
    for each in rows:
        help_taken = f"{each['hints']} hints" + (", assisted" if each["assisted"] else "")
        lines.append(f"{each['lab']:16} {each['state']:8} {each['checks']:3} checks, {help_taken}"
                     + (f"   {each['evidence']} sha256 {each['sha256'][:16]}…" if each["evidence"] else ""))
        lines += [f"    ✘ {key}" for key, verdict in each["proofs"].items() if verdict != "proven"]
    return "\n".join(lines)


def as_html(desks: list[Desk]) -> str:
    """One file to mail."""
    def cells(values: list[object], tag: str) -> str:
        return "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in values)

    rows = "\n".join(f"<tr>{cells([row(desk)[column] for column in COLUMNS], 'td')}</tr>" for desk in desks)
    return ("<!doctype html><meta charset=utf-8><title>minidock lab report</title>"
            "<style>body{font:14px sans-serif}td,th{padding:.2em .6em;border:1px solid #ccc;text-align:left}"
            f"td:last-child{{font-family:monospace}}</style>\n"
            f"<table><tr>{cells(list(COLUMNS), 'th')}</tr>\n{rows}\n</table>")


def verdict_json(desk: Desk, verdict: Any, language: str) -> str:
    """One check, for programs."""
    proofs = [{"proof": outcome.key, "title": desk.folder.word("proof", outcome.key, language, desk.values),
               "verdict": outcome.verdict, "reasons": [reason.told(language) for reason in outcome.reasons],
               "frames": list(outcome.frames), "mistake": outcome.mistake} for outcome in verdict.outcomes]
    mistake = verdict.mistake and desk.folder.word("mistake", verdict.mistake, language, desk.values)
    return json.dumps({"schema": "minidock.lab-check/v1", "lab": desk.folder.name, "passed": verdict.passed,
                       "seconds": round(verdict.seconds, 3), "mistake": mistake, "proofs": proofs},
                      ensure_ascii=False, indent=2)
