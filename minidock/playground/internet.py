"""The servers of the playground's internet: web (80), names (53), echo (7), on every address there.

A process of its own in the namespace `internet`; a thread per service and per TCP connection, so that each
protocol reads as the few lines it is. The peers on the LAN have web and echo by the same process: a socket stays in
the namespace it was opened in.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import socket
from collections.abc import Callable
from functools import partial

from minidock.playground import names

PATIENCE_SECONDS = 60.0  # a silent connection is closed
_IP_PKTINFO = 8  # linux/in.h; Python has no name for it
_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
Address = tuple[str, int]
Service = Callable[[socket.socket, Address], None]


def greeting(place: str, peer: Address) -> bytes:
    """The web server's one page: who the client seems to be."""
    host = peer[0].removeprefix("::ffff:")
    shown = f"[{host}]" if ":" in host else host
    return f"hello from {place}: you are {shown}:{peer[1]}\n".encode()


def web(place: str, connection: socket.socket, peer: Address) -> None:
    """Answer any request with the greeting."""
    request = b""
    while b"\r\n\r\n" not in request and len(request) < 65536:
        data = connection.recv(4096)
        if not data:
            break
        request += data
    body = greeting(place, peer)
    connection.sendall(_HEAD.format(len(body)).encode() + (b"" if request.startswith(b"HEAD ") else body))
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):  # closing on unread data would reset the connection
        pass


def echo(connection: socket.socket, peer: Address) -> None:
    """Send back what comes (RFC 862)."""
    while data := connection.recv(65536):
        connection.sendall(data)


def name_stream(connection: socket.socket, peer: Address) -> None:
    """DNS over TCP: each message after its length (RFC 1035 section 4.2.2)."""
    with connection.makefile("rb") as stream:
        while len(length := stream.read(2)) == 2:
            reply = names.answer(stream.read(int.from_bytes(length, "big")))
            if reply is None:
                return
            connection.sendall(len(reply).to_bytes(2, "big") + reply)


def _converse(service: Service, connection: socket.socket, peer: Address) -> None:
    connection.settimeout(PATIENCE_SECONDS)
    with contextlib.suppress(OSError), connection:
        service(connection, peer)


def accept_forever(listener: socket.socket, service: Service) -> None:
    """One thread per connection; where there can be none, the connection is closed."""
    while True:
        connection, peer = listener.accept()
        try:
            _thread.start_new_thread(_converse, (service, connection, peer[:2]))
        except RuntimeError:
            connection.close()


def reply_forever(sock: socket.socket, service: Callable[[bytes], bytes | None]) -> None:
    """Answer each datagram from the address it was sent to: the packet info goes back as it came (ip(7))."""
    while True:
        with contextlib.suppress(OSError):
            data, packet_info, _, peer = sock.recvmsg(65536, 256)
            reply = service(data)
            if reply is not None:
                sock.sendmsg([reply], packet_info, 0, peer)


def _listener(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    return socket.create_server(("", port), backlog=128)


def _datagrams(port: int) -> socket.socket:
    dual = socket.has_dualstack_ipv6()
    sock = socket.socket(socket.AF_INET6 if dual else socket.AF_INET, socket.SOCK_DGRAM)
    if dual:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    sock.bind(("", port))
    return sock


def offer(place: str) -> None:
    """Open web and echo here, and serve them from now on."""
    echoes = _datagrams(7)
    for port, service in ((80, partial(web, place)), (7, echo)):
        _thread.start_new_thread(accept_forever, (_listener(port), service))
    _thread.start_new_thread(reply_forever, (echoes, lambda data: data))


def _settle_in(peers: tuple[str, ...]) -> None:
    from minidock.kernel import netns  # 2 ms and 300 kB that a playground without a LAN does not pay

    for peer in peers:
        with netns.inside(peer):
            offer(peer)


def main(ready: int, peers: tuple[str, ...] = ()) -> None:
    """Open everything, say so on the descriptor `ready`, serve until killed."""
    names_listener, questions = _listener(53), _datagrams(53)
    offer("the internet")
    if peers:
        _settle_in(peers)
    os.write(ready, b"1")
    os.close(ready)
    _thread.start_new_thread(accept_forever, (names_listener, name_stream))
    reply_forever(questions, names.answer)
