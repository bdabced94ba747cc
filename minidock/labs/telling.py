"""A verdict and its lab as a person reads them, in English or Korean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from minidock.labs import course
from minidock.labs.desk import Desk
from minidock.labs.folder import Folder, said
from minidock.labs.seeds import filled

MARKS = {"proven": "✔", "disproven": "✘", "untested": "–"}
_COLUMNS = 100
_WORDS = {
    "en": {"stage": "stage {}/{}", "count": "{} of {} proofs in {:.1f} s", "passed": "Passed.",
           "stage-passed": "Stage {} of {} is passed. Go on with the next.",
           "hint-next": "a hint: minidock lab hint", "explain": "why it is so: minidock lab explain",
           "predict": "Predict first: {}", "answer-so": "answer: minidock lab predict \"…\"",
           "choices": "one of: {}", "foretold": "You predicted {}. The packets agree.",
           "not-foretold": "You predicted {}. The packets say {}.",
           "unasked": "You made no prediction; the packets say {}.",
           "evidence": "frames: {}", "hints": "{} hints", "assisted": "assisted",
           "done": "passed", "begun": "started", "gone": "stopped", "needs": "needs a kernel with {}"},
    "ko": {"stage": "{}/{}단계", "count": "증명 {1}개 중 {0}개, {2:.1f}초", "passed": "통과했습니다.",
           "stage-passed": "{1}단계 중 {0}단계를 통과했습니다. 다음 단계로 넘어가세요.",
           "hint-next": "힌트 보기: minidock lab hint", "explain": "왜 그런지 보기: minidock lab explain",
           "predict": "먼저 예상해 보세요: {}", "answer-so": "답하기: minidock lab predict \"…\"",
           "choices": "다음 중 하나: {}", "foretold": "예상한 답: {}. 패킷도 그렇게 말합니다.",
           "not-foretold": "예상한 답: {}. 그러나 패킷이 보여 준 답은 {}입니다.",
           "unasked": "예상을 적지 않았습니다. 패킷이 보여 준 답은 {}입니다.",
           "evidence": "프레임: {}", "hints": "힌트 {}개", "assisted": "모범 답안 사용",
           "done": "통과", "begun": "진행 중", "gone": "중단", "needs": "커널에 {} 필요"},
}


def word(key: str, language: str, *facts: Any) -> str:
    """One of the sentences around a verdict."""
    return _WORDS[language][key].format(*facts)


def width(text: str) -> int:
    """How many columns a terminal gives it: Korean letters are two wide."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text: str, indent: str = "") -> str:
    """The text in lines of at most 100 columns, all but the first indented; a `command` stays in one if it fits."""
    lines, columns = [""], _COLUMNS - len(indent)
    for each in _words(text, columns):
        if lines[-1] and width(lines[-1]) + 1 + width(each) > columns:
            lines.append("")
        lines[-1] += f" {each}" if lines[-1] else each
    return f"\n{indent}".join(lines)


def _words(text: str, columns: int) -> Iterator[str]:
    for each in re.findall(r"(?:[^\s`]|`[^`]*`|`)+", text):
        yield from [each] if width(each) <= columns else each.split()


def flowed(text: str) -> str:
    """Paragraphs and lists broken anew, for what was filled in has a length of its own; drawings and tables stay."""
    lines: list[str] = []
    for line in text.splitlines():
        if lines and lines[-1] and line and not _fixed(line) and not _fixed(lines[-1]) and not _item(line):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(line if _fixed(line) else _broken(line) for line in lines)


def _broken(line: str) -> str:
    margin = " " * (len(line) - len(line.lstrip()))
    return margin + wrapped(line, margin + " " * len(_item(line)))


def _fixed(line: str) -> bool:
    return line.startswith(("    ", "|"))


def _item(line: str) -> str:
    """What an item of a list begins with: `1. ` or `- `."""
    number, dot, _ = line.partition(". ")
    return f"{number}. " if dot and number.isdigit() else "- " * line.startswith("- ")


def listed(folder: Folder, desk: Desk | None, language: str) -> str:
    """A line of the list of labs."""
    state = "" if desk is None else "done" if desk.state["passed"] else "begun" if desk.alive else "gone"
    standing = word(state, language) if state else ""
    note = f"   ({word('needs', language, ', '.join(folder.needs))})" if folder.needs else ""
    return f"{folder.number}  {standing}{' ' * (9 - width(standing))}{folder.title(language)}{note}"


def verdict(desk: Desk, found: Any, language: str, stage: int | None = None) -> str:
    """The whole of a check."""
    folder, stages = desk.folder, desk.folder.stages
    head = f" {folder.number} {folder.title(language)}"
    facts = f"seed {desk.state['seed']}" + (
        f" · {word('stage', language, stage or stages, stages)}" if stages > 1 else "")
    lines = [head + " " * max(2, 76 - width(head) - width(facts)) + facts]
    told_mistake = False
    for outcome in found.outcomes:
        lines += _outcome(desk, outcome, language, told_mistake)
        told_mistake = told_mistake or bool(outcome.mistake)
    proven = sum(outcome.verdict == "proven" for outcome in found.outcomes)
    lines.append(f"   {word('count', language, proven, len(found.outcomes), found.seconds)}")
    return "\n".join(lines + _epilogue(desk, found, language, stage or stages))


def _outcome(desk: Desk, outcome: Any, language: str, told_mistake: bool) -> list[str]:
    title = desk.folder.word("proof", outcome.key, language, desk.values)
    reasons = [_reason(desk, outcome, reason, language) for reason in outcome.reasons]
    if outcome.verdict == "proven":
        return [f"  {MARKS['proven']} {title}" + " " * max(2, 66 - width(title)) + reasons[0]]
    lines = [f"  {MARKS[outcome.verdict]} {title}", *(f"      {reason}" for reason in dict.fromkeys(reasons))]
    lines += [f"        {frame}" for frame in outcome.frames]
    if outcome.mistake and not told_mistake:
        lines += [f"    ▸ {wrapped(desk.folder.word('mistake', outcome.mistake, language, desk.values), '      ')}"]
    return lines


def _reason(desk: Desk, outcome: Any, reason: Any, language: str) -> str:
    if outcome.why_untested:
        title = desk.folder.word("proof", outcome.why_untested, language, desk.values)
        return str(type(reason)(reason.key, (("control", title),)).told(language))
    return str(reason.told(language))


def _epilogue(desk: Desk, found: Any, language: str, stage: int) -> list[str]:
    if not found.passed:
        checks = desk.state["checks"]
        kept = [f"   {word('evidence', language, checks[-1]['evidence'])}"] if checks else []
        return [*kept, f"   {word('hint-next', language)}"]
    if stage < desk.folder.stages:  # what the last stage tells would give it away
        return ["", f" {word('stage-passed', language, stage, desk.folder.stages)}"]
    return ["", f" {word('passed', language)}", *_prophecy(desk, language), f" {word('explain', language)}"]


def _prophecy(desk: Desk, language: str) -> list[str]:
    """The prediction beside what the packets showed."""
    question = desk.folder.predict
    if not question:
        return []
    right = course.answers(desk)[0]
    given, agreed = desk.state["prediction"], course.foretold(desk)
    key = "unasked" if not given else "foretold" if agreed else "not-foretold"
    line = word(key, language, right) if not given else word(key, language, given, right)
    return [f" {line}", f" {wrapped(filled(said(question.get('why', ''), language), desk.values), ' ')}"]


def prediction(desk: Desk, language: str) -> str:
    """The question asked first."""
    question = desk.folder.predict
    if not question:
        return ""
    lines = [wrapped(word("predict", language, filled(said(question["question"], language), desk.values)), "  ")]
    if "choices" in question:
        lines.append("  " + word("choices", language, ", ".join(question["choices"])))
    return "\n".join([*lines, "  " + word("answer-so", language)])


def task(desk: Desk, language: str) -> str:
    """What is to be done."""
    title = f"{desk.folder.number} · {desk.folder.title(language)}"
    return f"{title}\n{wrapped(desk.folder.objective(language))}\n\n{_page(desk, 'task', language)}"


def explanation(desk: Desk, language: str) -> str:
    """Why it is so."""
    return _page(desk, "explain", language)


def _page(desk: Desk, name: str, language: str) -> str:
    return flowed(desk.folder.text(name, language, desk.values).strip("\n"))
