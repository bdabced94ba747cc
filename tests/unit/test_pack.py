"""What the store keeps comes back as it was, through JSON."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.model.container import Container, End
from minidock.model.firewall import Chain, Policy, Rule
from minidock.model.network import Attachment, Endpoint, Network, Pool
from minidock.model.pack import pack, unpack
from minidock.model.process import Bind
from minidock.model.record import Record
from minidock.objects import KINDS, Address, Existing, Netns, Route, RuleSet

RECORDS: dict[str, type[Record]] = {
    **KINDS, **{kind.__name__: kind for kind in (Attachment, Container, End, Endpoint, Network, Pool, Bind, Chain,
                                                 Policy, Rule)}}


def there_and_back(value: object) -> object:
    return unpack(json.loads(json.dumps(pack(value))), RECORDS)


POOL = Pool(IPv4Network("172.28.0.0/16"), None, IPv4Address("172.28.0.1"), (("printer", IPv4Address("172.28.0.9")),))
SAMPLES = [
    POOL,
    Network("a" * 64, "br0", "bridge", "now", (POOL,), (("com.docker.network.driver.mtu", "1400"),), internal=True),
    Endpoint("e", "n", "c", "md-c", "veth0", "eth0", "02::", "02::", IPv4Interface("10.0.0.2/24"), None),
    Container("c" * 64, "web", "now", ("sh", "-c", "echo '한글'"), "br0", "host",
              (Attachment("n", "br0", gw_priority=-1),), binds=(Bind("/a", "/b", True),),
              env=("A=1",), labels=(("k", ""),)),
    End(137, "then", "now", "killed", 2),
    Address("why", "md-c", "eth0", IPv6Interface("2001:db8::2/64")),
    Route("why", "md-c", "eth0", IPv6Network("::/0"), IPv6Address("fe80::1")),
    RuleSet("why", (Chain(4, "filter", "MINIDOCK"),), (Policy(4, "filter", "FORWARD", "DROP", "ACCEPT"),),
            (Rule(4, "nat", "POSTROUTING", "TOP", "-j MASQUERADE", "network/x", "note", "why"),)),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_record_comes_back_equal(sample: Record) -> None:
    back = there_and_back(sample)
    assert back == sample
    assert type(back) is type(sample)


@given(st.ip_addresses(), st.integers(0, 32), st.integers(0, 128), st.text(), st.booleans())
def test_addresses_keep_their_kind(address: IPv4Address | IPv6Address, short: int, long: int, text: str,
                                   flag: bool) -> None:
    """A host address, an interface and a network that look alike as text stay what they are."""
    length = short if address.version == 4 else long
    interface = (IPv4Interface if address.version == 4 else IPv6Interface)((address, length))  # type: ignore[arg-type]
    for value in (address, interface, interface.network, text, flag, None, 5, (), (text, (flag, address))):
        back = there_and_back(value)
        assert back == value
        assert type(back) is type(value)


def test_an_unknown_record_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        unpack(pack(Netns("why", "md-c")), {"Existing": Existing})
