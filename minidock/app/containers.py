"""Use cases of containers: what the user asked for becomes a `Container`; nothing is started here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from minidock.app import attaching, events, identity, leasing
from minidock.app.context import App, now
from minidock.dns import files
from minidock.errors import BadRequest, CannotRun, Conflict, NotFound
from minidock.model.container import Container
from minidock.model.network import Network
from minidock.model.process import Bind
from minidock.sandbox import capabilities

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
_SYSCTLS = ("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced")
_IMAGES = frozenset("alpine archlinux busybox centos debian fedora golang hello-world httpd mariadb memcached mongo"
                    " mysql nginx node postgres python rabbitmq redis rockylinux ruby rust traefik ubuntu".split())


def configured(app: App, wanted: Container) -> Container:
    """The container with every choice made: checked, named, its networks found. Nothing is written."""
    wanted = _placed(app, wanted)
    _check(wanted)
    _check_ports(wanted)
    name = wanted.name or identity.container_name(lambda name: bool(app.state.containers.holder(name)))
    container_id = identity.new_id(f"container/{name}", lambda found: app.state.containers.get(found) is not None)
    own_host = os.uname().nodename
    hostname = wanted.hostname or (own_host if "host" in (wanted.network_mode, wanted.uts) else container_id[:12])
    container = wanted.but(id=container_id, name=name, created=now(), hostname=hostname)
    app.state.containers.refuse_taken_name(name)
    return container


def _placed(app: App, wanted: Container) -> Container:
    """Its networks, or the container whose sandbox it shares, looked up; `network_mode` says which."""
    first = wanted.attachments[0].name
    if first.startswith("container:"):
        from minidock.app import sharing  # only some containers share another's sandbox

        return sharing.placed(app, wanted, first.removeprefix("container:"))
    pairs = [attaching.found(app, item) for item in wanted.attachments]
    for network, attachment in pairs:
        attaching.check(attachment, network)
        if attachment.ip or attachment.ip6:
            leasing.refuse_reserved(app, wanted, network, attachment)
    attachments = tuple(attachment for _, attachment in pairs)
    attaching.check_ifnames(attachments)
    mode = "host" if pairs[0][0].driver == "host" else pairs[0][0].name
    return wanted.but(network_mode=mode, attachments=attachments)


def check_name(name: str) -> None:
    """Docker's rule for container names."""
    if name and not _NAME.match(name):
        raise BadRequest(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                         "two characters at least, the first a letter or digit: --name web1")


def _check(wanted: Container) -> None:
    check_name(wanted.name)
    _check_names(wanted)
    check_directory(wanted.cwd)
    for key, value in wanted.sysctls:
        _check_sysctl(key, value, wanted.network_mode)
    capabilities.wanted(wanted.cap_add, wanted.cap_drop)
    if wanted.rootfs and not os.path.isdir(wanted.rootfs):
        raise CannotRun(f"rootfs {wanted.rootfs}: no such directory", "make one: debootstrap bookworm DIR")
    _check_binds(wanted.binds)


def _check_names(wanted: Container) -> None:
    if wanted.uts not in ("", "host"):
        raise BadRequest(f"invalid UTS mode: {wanted.uts}", "--uts host shares the host's; leave it out for its own")
    for name, what in ((wanted.hostname, "hostname"), (wanted.domainname, "domainname")):
        if name and wanted.uts:
            raise BadRequest(f"conflicting options: {what} and the UTS mode", f"leave out --{what}, or --uts host")
        _check_hostname(name, what)
    for word in wanted.dns:
        if not files.parse(f"nameserver {word}", "").servers:
            raise BadRequest(f"{word} is not an ip address", "--dns takes a name server's address: --dns 192.0.2.53")
    for word in wanted.dns_search:
        if word != "." and not _is_domain(word):
            raise BadRequest(f"{word} is not a valid domain", "as --dns-search example.org; \".\" alone for none")
    for word in wanted.dns_options:
        if not word or not word.isprintable() or " " in word:
            raise BadRequest(f"{word!r} is not a resolver option", "as --dns-option ndots:2; see: man 5 resolv.conf")
    for word in wanted.extra_hosts:
        files.extra_host(word)


def _is_domain(text: str) -> bool:
    """Letters, digits, hyphens inside, underscores, and one letter at least: docker/cli's rule for --dns-search."""
    labels = text.removesuffix(".").split(".")
    return any(letter.isalpha() for letter in text) and all(
        label.isascii() and label.replace("-", "").replace("_", "").isalnum() and label.strip("-") == label
        for label in labels)


def _check_hostname(name: str, what: str) -> None:
    """Not longer than the kernel's 64 bytes (man 2 sethostname), and no lines of its own in /etc/hosts."""
    if len(os.fsencode(name)) > 64:
        raise BadRequest(f"{what} {name[:20]}… is longer than 64 bytes", f"give a shorter --{what}")
    if not name.isprintable():
        raise BadRequest(f"invalid {what}: {name!r} holds a character that cannot be printed",
                         "use letters, digits and hyphens")


def check_directory(path: str) -> None:
    """-w names a place in the container, wherever the user stands."""
    if path and not path.startswith("/"):
        raise BadRequest(f"the working directory '{path}' is invalid, it needs to be an absolute path",
                         f"for example: -w {os.path.abspath(path)}")


def _check_sysctl(key: str, value: str, network_mode: str) -> None:
    if key.startswith("net.") and network_mode == "host":
        raise BadRequest(f"sysctl '{key}' is not allowed in the host's network namespace",
                         "leave out --sysctl, or use another --net")
    if re.match(r"net\.[^.]+\.[^.]+\.eth\d+\.", key):
        raise BadRequest(f'interface specific sysctl setting "{key}" must be supplied using driver option'
                         " 'com.docker.network.endpoint.sysctls'",
                         "--network name=NET,driver-opt=com.docker.network.endpoint.sysctls="
                         f"{re.sub('eth[0-9]+', 'IFNAME', key)}={value}")
    if not key.startswith(("net.", "fs.mqueue.")) and key not in _SYSCTLS:
        raise BadRequest(f"sysctl '{key}={value}' is not allowed",
                         "only net.*, fs.mqueue.* and the IPC ones of kernel.* are")


def _check_binds(binds: tuple[Bind, ...]) -> None:
    shown: dict[str, str] = {}
    for bind in binds:
        _check_bind(bind)
        if bind.target in shown:
            raise BadRequest(f"Duplicate mount point: {bind.target}: {shown[bind.target]} is to be shown there too",
                             "choose another target: -v SRC:DST")
        shown[bind.target] = bind.source


def _check_bind(bind: Bind) -> None:
    if not bind.source.startswith("/"):
        raise BadRequest(f"volume {bind.source}: minidock has no named volumes",
                         f"name a directory: -v $PWD/{bind.source}:{bind.target}")
    if not os.path.exists(bind.source):
        raise CannotRun(f"bind source path does not exist: {bind.source}", f"make it first: mkdir -p {bind.source}")


def parse_bind(text: str) -> Bind:
    """`-v source:target[:ro]`."""
    parts = text.split(":")
    if len(parts) not in (2, 3) or not parts[0] or not parts[1].startswith("/"):
        raise BadRequest(f"invalid volume specification: '{text}'", "write it as -v /host/path:/container/path[:ro]")
    modes = set(parts[2].split(",")) if len(parts) == 3 else set()
    if modes - {"ro", "rw", "z", "Z"}:
        raise BadRequest(f"invalid mode: {parts[2]}", "the mode is ro or rw")
    source = os.path.abspath(parts[0]) if parts[0].startswith(".") else parts[0]
    return Bind(source, parts[1], "ro" in modes)


def _check_ports(wanted: Container) -> None:
    if wanted.ports or wanted.expose:
        from minidock.app import publishing  # most containers publish nothing

        publishing.check(wanted)


def image_hint(argv: tuple[str, ...]) -> str:
    """What to say when the command that was not found looks like an image; "" if it does not."""
    word = argv[0]
    known = word.partition(":")[0].rpartition("/")[2] in _IMAGES
    if not known and not re.match(r"[a-z0-9._/-]+:[a-zA-Z0-9._-]+\Z", word):
        return ""
    rest = " ".join(argv[1:]) or "sh"
    return f"minidock has no images, the host's file system is used: leave out {word} and type the command: {rest}"


def exec_hint(error: CannotRun, argv: tuple[str, ...]) -> str:
    """What to type when a command could not be executed."""
    looks_like_image = image_hint(argv) if error.exit_code == 127 else ""
    return looks_like_image or error.hint or f"look at it: ls -ld {argv[0]}"


def create(app: App, wanted: Container) -> Container:
    """`minidock create`: keep the configuration, start nothing."""

    def keep(container: Container) -> None:
        if not app.dry:
            with app.state.adding():
                app.state.containers.add(container)
            events.container(app, "create", container)

    return with_free_name(app, wanted, keep)


def with_free_name(app: App, wanted: Container, act: Callable[[Container], None]) -> Container:
    """Configure a container and act on it; a random name that another command took meanwhile is chosen anew."""
    while True:
        container = configured(app, wanted)
        try:
            act(container)
        except Conflict:
            if wanted.name or app.state.containers.holder(container.name) in ("", container.id):
                raise
        else:
            return container


def rename(app: App, reference: str, name: str) -> None:
    """Give a container another name."""
    container = app.state.containers.find(reference)
    if not name.strip():
        raise BadRequest("Neither old nor new names may be empty", "minidock rename OLD NEW")
    check_name(name)
    if name == container.name:
        raise BadRequest("Renaming a container with the same name as its current name", "choose another name")
    if not app.dry:
        with app.state.container_lock(container.id):
            _rename(app, app.state.containers.find(container.id), name)


def _rename(app: App, container: Container, name: str) -> None:
    app.state.containers.change(container.but(name=name))
    if app.state.names.served(container.id):
        from minidock.app import naming  # only some containers have a name server

        naming.rename(app, container, name)
    events.container(app, "rename", container.but(name=name), oldName=f"/{container.name}")


def env_from_file(path: str) -> list[str]:
    """The lines of an --env-file: KEY=value, KEY (from our environment), blank lines and # comments left out."""
    try:
        with open(path) as file:
            lines = [line.lstrip() for line in file.read().splitlines()]
    except OSError as error:
        raise CannotRun(f"open {path}: {os.strerror(error.errno or 0).lower()}",
                        "give an --env-file that is there") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"env file {path} contains invalid utf8 bytes", _ENV_FILE_HINT) from error
    found = [line for line in lines if line and not line.startswith("#")]
    for line in found:
        _check_variable(path, line)
    return found


_ENV_FILE_HINT = "it holds lines of KEY=value, blank lines, and comments that begin with #"


def _check_variable(path: str, line: str) -> None:
    key = line.partition("=")[0]
    if not key:
        raise BadRequest(f"invalid env file ({path}): no variable name on line '{line}'", _ENV_FILE_HINT)
    if key.split() != [key]:
        raise BadRequest(f"invalid env file ({path}): variable '{key}' contains whitespaces", _ENV_FILE_HINT)


def environment(words: list[str]) -> tuple[str, ...]:
    """-e words made complete: `KEY` alone takes our own value, or is left out if we have none."""
    found = []
    for word in words:
        key, equals, _ = word.partition("=")
        if not key:
            raise BadRequest(f"invalid environment variable: {word}", "write it as KEY=value")
        if equals:
            found.append(word)
        elif key in os.environ:
            found.append(f"{key}={os.environ[key]}")
    return tuple(found)


def networks_of(app: App, container: Container) -> tuple[Network, ...]:
    """The networks a container was configured for, if all of them are still there; in the order of its attachments."""
    found = [(app.state.networks.get(item.network), item) for item in container.attachments]
    for network, item in found:
        if network is None:
            raise NotFound(f"failed to set up container networking: network {item.network[:12]}"
                           f" ({item.name}) not found",
                           f"it was removed: minidock net disconnect {item.network[:12]} {container.name}, or make the"
                           f" container anew: minidock rm {container.name}")
    return tuple(network for network, _ in found if network)
