"""What click finds wrong with a command line, said as all our errors are: one sentence, and what to type next."""

from __future__ import annotations

import click

from minidock.errors import BadRequest


def told(error: click.ClickException) -> BadRequest:
    """A usage error in Docker's words where Docker has some."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "minidock"
    see = f"see: {path} --help"
    if isinstance(error, click.NoSuchOption):
        return _unknown_flag(error, path, see)
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Argument):
        return BadRequest(f"'{path}' requires {_count(error.param)}: {_metavar(error.param)}", see)
    if isinstance(error, click.BadParameter) and error.param is not None:
        return BadRequest(f'invalid argument for "{_flag(error.param)}": {_sentence(error.message)}', see)
    return BadRequest(_sentence(error.format_message()), see)


def _unknown_flag(error: click.NoSuchOption, path: str, see: str) -> BadRequest:
    from minidock.cli.absent import refusal

    found = refusal(path, error.option_name)
    if found:
        return BadRequest(f"{error.option_name}: {found[0]}", found[1])
    return BadRequest(f"unknown flag: {error.option_name}", _nearest(error, path) or see)


class Commands(click.Group):
    """A group that answers an unknown word with the nearest command it has."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise _unknown(args[0], self.known(ctx), ctx.command_path)
        return super().resolve_command(ctx, args)

    def known(self, ctx: click.Context) -> list[str]:
        """All its words, aliases too."""
        return self.list_commands(ctx)


def _unknown(word: str, known: list[str], path: str) -> BadRequest:
    from difflib import get_close_matches

    close = get_close_matches(word, known, 1)
    return BadRequest(f"'{word}' is not a {path} command", f"did you mean: {path} {close[0]}" if close else
                      f"see: {path} --help")


def _nearest(error: click.NoSuchOption, path: str) -> str:
    from difflib import get_close_matches

    bare = {option.lstrip("-"): option for option in error.possibilities or ()}
    close = get_close_matches(error.option_name.lstrip("-"), bare, 1, 0.7)
    return f"did you mean {bare[close[0]]}? see: {path} --help" if close else ""


def _count(argument: click.Argument) -> str:
    return "at least 1 argument" if argument.nargs == -1 else "an argument"


def _metavar(parameter: click.Parameter) -> str:
    return parameter.metavar or (parameter.name or "").upper()


def _flag(parameter: click.Parameter) -> str:
    return ", ".join(parameter.opts) if isinstance(parameter, click.Option) else _metavar(parameter)


def _sentence(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".")
