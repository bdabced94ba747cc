"""What the shell offers on TAB: names of networks, containers and labs, each once. Errors are nothing to offer."""

from __future__ import annotations

import click

from minidock.model.network import PREDEFINED


def networks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Networks that begin so."""
    from minidock.store import glance

    return _fitting(glance.networks(), ctx, param, incomplete)


def removable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Networks that `net rm` can remove."""
    return [name for name in networks(ctx, param, incomplete) if name not in PREDEFINED]


def modes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What `run --net` takes; host and none are there before the first network is."""
    from minidock.store import glance

    return _fitting(sorted({*glance.networks(), *PREDEFINED}), ctx, param, incomplete)


def containers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Containers that begin so."""
    return _containers(None, ctx, param, incomplete)


def running(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Those of them that run."""
    return _containers(True, ctx, param, incomplete)


def stopped(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Those that do not."""
    return _containers(False, ctx, param, incomplete)


def both(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Containers and networks."""
    return [*containers(ctx, param, incomplete), *networks(ctx, param, incomplete)]


def labs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Labs by their numbers."""
    from minidock.labs import folder

    return _fitting([lab.number for lab in folder.every()], ctx, param, incomplete)


def _containers(alive: bool | None, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from minidock.store import glance

    return _fitting(glance.containers(alive), ctx, param, incomplete)


def _fitting(names: list[str], ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Those that begin so and are not typed already."""
    typed = ctx.params.get(param.name or "") or ()
    return [name for name in names if name.startswith(incomplete) and (isinstance(typed, str) or name not in typed)]
