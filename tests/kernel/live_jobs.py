"""What changes a running container: each command as typed, its work without the command line, and the way back."""

from __future__ import annotations

from collections.abc import Callable

from minidock.app import connecting, containers, ending, holding, live_ports, starting
from minidock.app.context import App
from minidock.model.container import Container
from minidock.model.network import OPTION_PREFIX, Attachment
from minidock.model.record import Record

WEB = Container(id="", name="web", created="", argv=("sleep", "600"), network_mode="br0", hostname="",
                attachments=(Attachment("", "br0"), Attachment("", "back")), ports=("8080:80", "5353:53/udp"))
PLAIN = WEB.but(network_mode="bridge", attachments=(Attachment("", "bridge"),))
Work = Callable[[App], None]


def run(app: App) -> None:
    starting.start(app, containers.configured(app, WEB), holding.Detached(), fresh=True)


def run_plain(app: App) -> None:
    starting.start(app, containers.configured(app, PLAIN), holding.Detached(), fresh=True)


def connect(app: App) -> None:
    """The new network becomes the way out, so the ports move there."""
    wanted = Attachment("", "side", gw_priority=7, aliases=("shop",), link_local=("169.254.7.7",),
                        options=((f"{OPTION_PREFIX}endpoint.ifname", "lan7"),))
    connecting.connect(app, wanted, "web")


def connect_plain(app: App) -> None:
    """The first network with names."""
    connecting.connect(app, Attachment("", "back"), "web")


def disconnect_side(app: App) -> None:
    connecting.disconnect(app, "side", "web")


def disconnect(app: App) -> None:
    """It was the way out."""
    connecting.disconnect(app, "back", "web")


def port_add(app: App) -> None:
    live_ports.add(app, app.state.containers.find("web"), ("8443:443", "127.0.0.1:9090:90", "[::1]:9091:91"))


def port_rm_added(app: App) -> None:
    live_ports.remove(app, app.state.containers.find("web"), ("443", "127.0.0.1:9090:90", "[::1]:9091:91"))


def port_rm(app: App) -> None:
    live_ports.remove(app, app.state.containers.find("web"), ("80",))


def port_add_removed(app: App) -> None:
    live_ports.remove(app, app.state.containers.find("web"), ("53/udp",))
    live_ports.add(app, app.state.containers.find("web"), ("8080:80", "5353:53/udp"))


class Job(Record):
    """A command, what is run before, and what brings it back; whether it takes itself back when it is cut."""

    words: tuple[str, ...]  # as typed
    work: Work
    back: tuple[Work, ...]
    first: Work = run
    builds: bool = True


def again(first: Work) -> tuple[Work, ...]:
    """Another container in its place."""
    return remove, first


def remove(app: App) -> None:
    ending.remove(app, app.state.containers.find("web"), force=True)


JOBS = {
    "connect": Job(("net", "connect", "--gw-priority", "7", "--alias", "shop", "--link-local-ip", "169.254.7.7",
                    "--driver-opt", f"{OPTION_PREFIX}endpoint.ifname=lan7", "side", "web"),
                   connect, (disconnect_side,)),
    "connect, the first with names": Job(("net", "connect", "back", "web"), connect_plain, again(run_plain), run_plain),
    "disconnect": Job(("net", "disconnect", "back", "web"), disconnect, again(run), builds=False),
    "port add": Job(("port", "add", "web", "8443:443", "127.0.0.1:9090:90", "[::1]:9091:91"),
                    port_add, (port_rm_added,)),
    "port rm": Job(("port", "rm", "web", "80"), port_rm, (port_add_removed,), builds=False),
}
