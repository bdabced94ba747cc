"""`minidock lab race`, `report`, `selftest`, `new`: for those who teach, and those who write labs."""

from __future__ import annotations

import sys

import click

from minidock.cli import completing
from minidock.cli.lab_options import LANGUAGES, chosen, given, locale
from minidock.errors import MinidockError

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from minidock.labs.racing import Runner


@click.command()
@click.argument("lab_", metavar="LAB", shell_complete=completing.labs)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--lang", type=LANGUAGES, help="In English or Korean.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="The ranking as text or json.")
@chosen
def race(lab_: str, names: tuple[str, ...], lang: str | None, form: str, **options: Any) -> None:
    """Let learners race: the same lab for all, a playground and a seed each, one clock. Who passes first wins.

    The names are the seeds. Each works as ever, by `minidock lab shell --lab LAB --name NAME`; whenever something
    changes there it is checked. The race ends when all have passed, or by q; exit code 0 if all have.

    \b
    Examples:
      minidock lab race 16 ann bob
      minidock lab race 16 ann bob eve --level hard --format json
    """
    from minidock.labs import folder, racing

    language = lang or locale() or "en"
    runners = racing.line_up(folder.find(lab_), names, language, given(options))
    told = _teller(runners, language) if form == "text" else lambda elapsed: None
    elapsed = racing.run(runners, told)
    click.echo(racing.as_json(runners, elapsed) if form == "json" else racing.board(runners, language, elapsed))
    sys.exit(0 if all(runner.seconds is not None for runner in runners) else 1)


def _teller(runners: Sequence[Runner], language: str) -> Callable[[float], object]:
    """On a terminal the standing is always there; elsewhere only where the learners find their playgrounds."""
    from minidock.labs import racing

    doors = f"\n{racing.doors(runners)}\n"
    if not sys.stdout.isatty():
        click.echo(doors)
        return lambda elapsed: None
    shown = ""

    def tell(elapsed: float) -> None:
        nonlocal shown
        text = racing.board(runners, language, elapsed)
        if text != shown:
            shown = text
            click.echo(f"\x1b[H\x1b[2J{text}\n{doors}\n q quit")

    return tell


@click.command()
@click.argument("labs", nargs=-1, shell_complete=completing.labs)
@click.option("--json", "form", flag_value="json", help="Everything, proof by proof.")
@click.option("--csv", "form", flag_value="csv", help="A line a lab.")
@click.option("--html", "form", flag_value="html", help="One file to mail.")
def report(labs: tuple[str, ...], form: str | None) -> None:
    """Tell how every lab went: checks, hints, predictions, and the sha256 of the frames that prove it.

    \b
    Examples:
      minidock lab report
      minidock lab report --csv 01 02
    """
    from minidock.labs import desk as desks
    from minidock.labs import folder
    from minidock.labs import report as reports

    wanted = {folder.find(word).name for word in labs}
    chosen = [desk for desk in desks.every() if not wanted or desk.folder.name in wanted]
    tell = {"json": reports.as_json, "csv": reports.as_csv, "html": reports.as_html}.get(form or "", reports.as_table)
    click.echo(tell(chosen))


@click.command()
@click.argument("labs", nargs=-1, shell_complete=completing.labs)
@click.option("--seed", default="selftest", show_default=True, help="The values to play with.")
@click.option("-j", "--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="So many labs at once.")
def selftest(labs: tuple[str, ...], seed: str, jobs: int) -> None:
    """Prove that labs are honest: the start state fails, the solution passes, every wrong solution is told its mistake.

    \b
    Examples:
      minidock lab selftest
      minidock lab selftest 01 ./my-lab
    """
    from minidock.labs import examining, folder

    chosen = [folder.find(word) for word in labs] if labs else folder.every()
    told = examining.examine(chosen, seed, jobs, click.echo)
    if told:
        raise MinidockError(f"{told} of {len(chosen)} labs are not as they should be", "the lines with ✘ say what")
    sys.exit(0)


@click.command()
@click.argument("directory")
def new(directory: str) -> None:
    """Make a folder for a lab of your own: a small one that works, to be changed.

    \b
    Examples:
      minidock lab new 20-my-lab
    """
    from minidock.labs import skeleton

    path = skeleton.make(directory)
    click.echo(f"{path}\n\n  how to write it: {skeleton.PAGE}\n  is it honest:    minidock lab selftest {path}\n"
               f"  play it:         minidock lab start {path}")
