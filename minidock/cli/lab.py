"""`minidock lab`: graded exercises, each in a playground of its own."""

from __future__ import annotations

import os
import sys

import click

from minidock.cli import completing
from minidock.cli.lab_options import LANGUAGES, chosen, found, given, locale, of_desk
from minidock.cli.usage import Commands
from minidock.errors import BadRequest

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

    from minidock.labs.desk import Desk

@click.group(cls=Commands)
def lab() -> None:
    """Graded exercises in container networking; packets prove the answers.

    Each lab runs in a playground of its own: nothing you do there touches this machine's network. A lab stays when
    the terminal is closed; go on with `minidock lab task`.

    \b
      minidock lab list
      minidock lab start 01            make it, read the task, predict
      minidock lab shell               a shell in it
      minidock lab check               prove it by packets
      minidock lab hint
    """


@lab.command(name="list")
@click.option("--lang", type=LANGUAGES, help="In English or Korean.")
def list_(lang: str | None) -> None:
    """List the labs, and how far you are.

    \b
    Examples:
      minidock lab list
    """
    from minidock.labs import desk as desks
    from minidock.labs import folder, telling

    standing = {desk.folder.name: desk for desk in desks.every()}
    for each in folder.every():
        click.echo(telling.listed(each, standing.get(each.name), lang or locale() or "en"))


@lab.command()
@click.argument("lab_", metavar="LAB", shell_complete=completing.labs)
@click.option("--seed", default="", help="What addresses, ports, names and faults follow from (default: your name).")
@click.option("--lang", type=LANGUAGES, help="In English or Korean.")
@click.option("--name", "student", default="", help="The learner's, where several share one account.")
@chosen
def start(lab_: str, seed: str, lang: str | None, student: str, **options: Any) -> None:
    """Make a lab's playground in its start state, ask for a prediction, tell the task.

    \b
    Examples:
      minidock lab start 01
      minidock lab start 06 --seed 20251123 --lang ko
    """
    from minidock.labs import course, folder, telling

    desk = course.start(folder.find(lab_), student, seed, lang or locale(), given(options))
    _note(desk)
    _ask(desk)
    click.echo(telling.task(desk, desk.language))
    click.echo("\n  minidock lab shell   ·   minidock lab check")


def _note(desk: Desk) -> None:
    """As `minidock playground` does."""
    for line in desk.notes:
        click.echo(f"minidock: note: {line}", err=True)


def _ask(desk: Desk) -> None:
    """Ask for the prediction, if none was given; on a terminal the answer is awaited."""
    from minidock.labs import course, telling

    if desk.state["prediction"] or not desk.folder.predict:
        return
    click.echo(telling.prediction(desk, desk.language))
    if sys.stdin.isatty() and sys.stdout.isatty():
        answer = click.prompt(">", default="", show_default=False, prompt_suffix=" ").strip()
        if answer:
            course.predict(desk, answer)
    click.echo()


@lab.command()
@of_desk
def task(lab_: str, student: str, lang: str | None) -> None:
    """Tell the task again, and the prediction if none was given.

    \b
    Examples:
      minidock lab task
      minidock lab task 01 --lang ko
    """
    from minidock.labs import telling

    desk, language = found(lab_, student, lang)
    click.echo(telling.task(desk, language))
    if not desk.state["prediction"] and desk.folder.predict:
        click.echo("\n" + telling.prediction(desk, language))


@lab.command()
@click.argument("answer")
@click.option("--lab", "lab_", default="", help="Of which lab (default: the one last started).")
@click.option("--name", "student", default="", help="The learner's, where several share one account.")
def predict(answer: str, lab_: str, student: str) -> None:
    """Answer the question a lab asks first; `check` compares it with what the packets show.

    \b
    Examples:
      minidock lab predict no
    """
    from minidock.labs import course

    desk, _ = found(lab_, student)
    course.predict(desk, answer)
    click.echo(answer)


@lab.command()
@of_desk
@click.option("--stage", type=int, help="Only up to this stage.")
@click.option("--watch", is_flag=True, help="Check again whenever the kernel's state changes, until q.")
@click.option("--json", "as_json", is_flag=True, help="The verdict as JSON.")
def check(lab_: str, student: str, lang: str | None, stage: int | None, watch: bool, as_json: bool) -> None:
    """Prove the task by packets; exit code 0 if all is proven, 1 if not.

    \b
    Examples:
      minidock lab check
      minidock lab check 06 --stage 2
      minidock lab check --watch
    """
    from minidock.labs import course, telling

    desk, language = found(lab_, student, lang)
    if stage is not None and not 1 <= stage <= desk.folder.stages:
        raise BadRequest(f"lab {desk.folder.number} has no stage {stage}", f"it has {desk.folder.stages}")
    if watch:
        from minidock.labs import watching

        sys.exit(watching.watch(desk, language, stage))
    verdict = course.check(desk, stage)
    if as_json:
        from minidock.labs import report

        click.echo(report.verdict_json(desk, verdict, language))
    else:
        click.echo(telling.verdict(desk, verdict, language, stage))
    sys.exit(0 if verdict.passed else 1)


@lab.command()
@of_desk
def hint(lab_: str, student: str, lang: str | None) -> None:
    """Give the next hint; how many were used is in the report.

    \b
    Examples:
      minidock lab hint
    """
    from minidock.labs import course, telling

    desk, language = found(lab_, student, lang)
    if language != desk.language:
        desk.note(language=language)
    number, count, text = course.hint(desk)
    click.echo(f"{number}/{count}  {telling.wrapped(text, '     ')}")


@lab.command()
@of_desk
def explain(lab_: str, student: str, lang: str | None) -> None:
    """Tell why it is so: what the lab is about, and what its proofs mean.

    \b
    Examples:
      minidock lab explain
    """
    from minidock.labs import telling

    desk, language = found(lab_, student, lang)
    click.echo(telling.explanation(desk, language))


@lab.command()
@of_desk
@click.option("--seed", default="", help="Begin anew with other values.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@chosen
def reset(lab_: str, student: str, lang: str | None, seed: str, force: bool, **options: Any) -> None:
    """Begin a lab anew: its playground is removed and made again, byte for byte the same.

    \b
    Examples:
      minidock lab reset 01 -f
      minidock lab reset 01 --seed another
    """
    from minidock.cli.common import confirmed
    from minidock.labs import course

    desk, _ = found(lab_, student)
    if os.environ.get("MINIDOCK_PLAYGROUND") == desk.playground:
        raise BadRequest("this shell stands in the playground that is to be removed",
                         f"exit   and then: minidock lab reset {desk.folder.number}")
    if not force:
        confirmed(f"lab reset {desk.folder.number}", f"This removes all you did in lab {desk.folder.number}.")
    if lang:
        desk.note(language=lang)
    fresh = course.reset(desk, seed, given(options))
    _note(fresh)
    click.echo(fresh.playground)


@lab.command()
@of_desk
@click.option("--stage", type=int, help="Only up to this stage.")
def solve(lab_: str, student: str, lang: str | None, stage: int | None) -> None:
    """Do what the solution does, and show it; the report says `assisted`.

    \b
    Examples:
      minidock lab solve 05 --stage 1
    """
    from minidock.labs import course
    from minidock.labs.seeds import filled

    desk, _ = found(lab_, student, lang)
    for script in desk.folder.solutions(stage):
        click.echo(filled(script.read_text(encoding="utf-8"), desk.values))
    ran = course.solve(desk, stage)
    for each in ran:
        click.echo(each.output, nl=False)
    sys.exit(ran[-1].code)


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--lab", "lab_", default="", help="Of which lab (default: the one last started).")
@click.option("--name", "student", default="", help="The learner's, where several share one account.")
@click.argument("place", required=False, default="")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(lab_: str, student: str, place: str, command: tuple[str, ...]) -> None:
    """Open a shell in the lab: on its host (`host`, or nothing), or in the namespace or container PLACE.

    Or run COMMAND there.

    \b
    Examples:
      minidock lab shell
      minidock lab shell red
      minidock lab shell red ip address
      minidock lab shell host ip link
    """
    from minidock.labs import entering

    desk, _ = found(lab_, student)
    sys.exit(entering.enter(desk, place, command))


def _teaching() -> None:
    from minidock.cli import lab_teaching

    for command in (lab_teaching.race, lab_teaching.report, lab_teaching.selftest, lab_teaching.new):
        lab.add_command(command)


_teaching()
