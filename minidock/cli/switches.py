"""Options like Docker's Boolean ones: `--ipv6` alone is true, and a value comes by `=` only."""

from __future__ import annotations

import click

from minidock.firewall.bridge import truth


def switch(ctx: click.Context, param: click.Parameter, value: str | None) -> bool | None:
    """The callback of such an option; None if it is not given."""
    try:
        return None if value is None else truth(value)
    except ValueError as error:
        raise click.BadParameter(f"{value}: true or false", ctx, param) from error


class Switches(click.Command):
    """A command whose switches stand alone: click would take the word after them for their value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        alone = {name for param in self.params if param.callback is switch for name in param.opts}
        return super().parse_args(ctx, [f"{word}=true" if word in alone else word for word in args])
