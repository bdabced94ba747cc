"""Sending a probe: real sockets where the kernel's own choices matter, raw ones where the packet shall be odd."""

from __future__ import annotations

import socket
import time

from minidock.kernel import netns
from minidock.probes.packets import Packet, frame_bytes, ip_bytes, settled, version
from minidock.probes.places import Device, Place

_LINK = ("arp", "nd", "frame")
_IP_MTU_DISCOVER, _PMTUDISC_DO, _PMTUDISC_DONT = 10, 2, 0  # linux/in.h
_IPV6_MTU_DISCOVER, _IPV6_HDRINCL = 23, 36  # linux/in6.h
_BIND_TO_DEVICE = 25  # SO_BINDTODEVICE
_ANY_PORT = 9


class Sent(list[int]):
    """When each copy was sent (nanoseconds since 1970), the packet as it was, and the socket while it must live."""

    packet: Packet
    socket: socket.socket | None = None


def payload(nonce: bytes, index: int, size: int) -> bytes:
    """The nonce, which copy this is, zeros up to the size."""
    return (nonce + index.to_bytes(2, "big")).ljust(size, b"\0")


def send(sender: Place | Device, packet: Packet, nonce: bytes, times: int) -> Sent:
    """Send all copies; OSError if the kernel refuses."""
    packet = settled(packet)
    if packet.kind in _LINK:
        return _out_of_device(sender, packet, nonce, times)
    place = sender.place if isinstance(sender, Device) else sender
    device = sender.name if isinstance(sender, Device) else ""
    with netns.inside(place.where):
        if packet.kind == "udp" and packet.src is None:
            return _datagrams(packet, device, nonce, times)
        return _headers_included(packet, device, nonce, times)


def _out_of_device(sender: Place | Device, packet: Packet, nonce: bytes, times: int) -> Sent:
    if not isinstance(sender, Device):
        raise TypeError(f"{packet.kind} is sent out of a device: .send(red.eth0, …)")
    mac = sender.mac
    with netns.inside(sender.place.where), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
        raw.bind((sender.name, 0))
        sent = Sent()
        for index in range(times):
            sent.append(time.time_ns())
            raw.send(frame_bytes(packet, mac, payload(nonce, index, packet.size)))
    sent.packet = packet
    return sent


def _address(packet: Packet, device: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    if version(packet) == 4:
        return packet.dst, port
    return packet.dst.partition("%")[0], port, 0, socket.if_nametoindex(device) if device else 0


def _family(packet: Packet) -> int:
    return socket.AF_INET if version(packet) == 4 else socket.AF_INET6


def _connected(packet: Packet, device: str, port: int) -> socket.socket:
    """A datagram socket towards the target: it knows which source address the kernel chooses."""
    sock = socket.socket(_family(packet), socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, device.encode() + b"\0")
        if packet.sport:
            sock.bind(("", packet.sport))
        sock.connect(_address(packet, device, port))
    except OSError:
        sock.close()
        raise
    return sock


def _datagrams(packet: Packet, device: str, nonce: bytes, times: int) -> Sent:
    sock = _connected(packet, device, packet.dport)
    discover = _PMTUDISC_DO if packet.df else _PMTUDISC_DONT
    if version(packet) == 4:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, packet.ttl)
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, discover)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, packet.ttl)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, discover)
    sent = Sent()
    for index in range(times):
        sent.append(time.time_ns())
        try:
            sock.send(payload(nonce, index, packet.size))
        except ConnectionRefusedError:  # the answer to the copy before
            sock.send(payload(nonce, index, packet.size))
    sent.socket = sock
    sent.packet = packet.but(sport=sock.getsockname()[1], src=sock.getsockname()[0])
    return sent


def _headers_included(packet: Packet, device: str, nonce: bytes, times: int) -> Sent:
    if packet.src is None:
        with _connected(packet.but(sport=0), device, _ANY_PORT) as guide:
            packet = packet.but(src=guide.getsockname()[0])
    sent = Sent()
    with socket.socket(_family(packet), socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        if version(packet) == 6:
            raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if device:
            raw.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, device.encode() + b"\0")
        for index in range(times):
            sent.append(time.time_ns())
            raw.sendto(ip_bytes(packet, payload(nonce, index, packet.size)), _address(packet, device, 0))
    sent.packet = packet
    return sent
