"""`minidock lab selftest`, `report`, `new`: for those who teach, and those who write labs."""

from __future__ import annotations

import sys

import click

from minidock.errors import MinidockError


@click.command()
@click.argument("labs", nargs=-1)
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
@click.argument("labs", nargs=-1)
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
