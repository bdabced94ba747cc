"""`-f key=value`: different keys are AND, several values of one key OR, labels AND; Docker's errors for the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidock.errors import BadRequest
from minidock.model.container import Container
from minidock.model.network import Network
from minidock.views import filters

NOW = datetime(2025, 6, 15, 12, 0, 0, tzinfo=timezone(timedelta(hours=9)))
BRIDGE = Network("b" * 64, "bridge", "bridge", "2025-01-01T00:00:00.123456789Z")
FRONT = Network("f0" + "1" * 62, "front", "bridge", "2025-06-15T02:00:00Z", labels=(("tier", "web"), ("ci", "")))
BACK = Network("ba" + "2" * 62, "back-front", "macvlan", "2025-06-10T02:00:00Z", labels=(("tier", "db"),))
ALL = (BRIDGE, FRONT, BACK)


def listed(*texts: str, used: tuple[Network, ...] = ()) -> list[str]:
    chosen = filters.of_networks(texts)
    return [net.name for net in ALL if filters.network_passes(chosen, net, net in used)]


@pytest.mark.parametrize(("texts", "names"), [
    ((), ["bridge", "front", "back-front"]),
    (("",), ["bridge", "front", "back-front"]),
    (("name=front",), ["front", "back-front"]),
    (("name=^front$",), ["front"]),
    (("NAME = front",), ["front", "back-front"]),
    (("name=^fr", "name=^ba"), ["front", "back-front"]),
    (("name=[",), []),
    (("id=f01",), ["front"]),
    (("id=2$",), ["back-front"]),
    (("driver=bridge",), ["bridge", "front"]),
    (("driver=brid",), []),
    (("driver=bridge", "driver=macvlan"), ["bridge", "front", "back-front"]),
    (("driver=bridge", "name=front"), ["front"]),
    (("scope=local",), ["bridge", "front", "back-front"]),
    (("scope=swarm",), []),
    (("type=builtin",), ["bridge"]),
    (("type=custom",), ["front", "back-front"]),
    (("type=custom", "type=builtin"), ["bridge", "front", "back-front"]),
    (("label=tier",), ["front", "back-front"]),
    (("label=tier=web",), ["front"]),
    (("label=tier", "label=ci"), ["front"]),
    (("label=tier=web", "label=tier=db"), []),
    (("label=ci=",), ["front"]),
    (("label=ti",), []),
])
def test_networks_are_filtered_by_dockers_rules(texts: tuple[str, ...], names: list[str]) -> None:
    assert listed(*texts) == names


@pytest.mark.parametrize("value", ["true", "1"])
def test_dangling_are_custom_networks_nobody_uses(value: str) -> None:
    assert listed(f"dangling={value}", used=(FRONT,)) == ["back-front"]


@pytest.mark.parametrize("value", ["false", "0"])
def test_not_dangling_are_predefined_ones_and_those_in_use(value: str) -> None:
    assert listed(f"dangling={value}", used=(FRONT,)) == ["bridge", "front"]


@pytest.mark.parametrize(("texts", "words"), [
    (("name",), 'invalid argument "name" for "-f, --filter" flag: bad format of filter (expected name=value)'),
    (("colour=red",), "invalid filter 'colour'"),
    (("until=1h",), "invalid filter 'until'"),
    (("type=user",), "invalid filter: 'type'='user'"),
    (("dangling=maybe",), """invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")"""),
    (("dangling=true", "dangling=false"), 'got more than one value for filter key "dangling"'),
])
def test_wrong_network_filters_are_refused(texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        filters.of_networks(texts)
    assert caught.value.what == words
    assert caught.value.hint


def pruned(*texts: str) -> list[str]:
    chosen = filters.of_prune(texts, NOW)
    return [net.name for net in (FRONT, BACK) if filters.network_prunable(chosen, net, NOW)]


@pytest.mark.parametrize(("texts", "names"), [
    ((), ["front", "back-front"]),
    (("until=24h",), ["back-front"]),
    (("until=30m",), ["front", "back-front"]),
    (("until=2025-06-15T11:00:00",), ["front", "back-front"]),
    (("until=2025-06-15T10:59:59",), ["back-front"]),
    (("label=tier=web",), ["front"]),
    (("label!=tier=web",), ["back-front"]),
    (("label!=tier",), []),
    (("label!=nothing",), ["front", "back-front"]),
    (("label!=tier=web", "label!=ci"), ["back-front"]),
    (("label!=tier=web", "label!=none"), ["front", "back-front"]),
    (("label=tier", "until=24h"), ["back-front"]),
])
def test_prune_removes_what_its_filters_leave(texts: tuple[str, ...], names: list[str]) -> None:
    assert pruned(*texts) == names


@pytest.mark.parametrize(("texts", "words"), [
    (("until=1h", "until=2h"), "more than one until filter specified"),
    (("until=noon",), "invalid value for 'until' filter: failed to parse value as time or duration: \"noon\""),
    (("name=x",), "invalid filter 'name'"),
])
def test_wrong_prune_filters_are_refused(texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        filters.of_prune(texts, NOW)
    assert caught.value.what == words


@pytest.mark.parametrize(("text", "moment"), [
    ("1h", NOW - timedelta(hours=1)),
    ("1h30m", NOW - timedelta(minutes=90)),
    ("1.5h", NOW - timedelta(minutes=90)),
    ("-10m", NOW + timedelta(minutes=10)),
    ("300ms", NOW - timedelta(milliseconds=300)),
    ("0", datetime(1970, 1, 1, tzinfo=UTC)),
    ("1738324800", datetime(2025, 1, 31, 12, tzinfo=UTC)),
    ("1738324800.5", datetime(2025, 1, 31, 12, 0, 0, 500000, tzinfo=UTC)),
    ("2025-01-31T12:00:00Z", datetime(2025, 1, 31, 12, tzinfo=UTC)),
    ("2025-01-31T12:00:00.123456789Z", datetime(2025, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)),
    ("2025-01-31T12:00:00+09:00", datetime(2025, 1, 31, 3, tzinfo=UTC)),
    ("2025-01-31T12:00", datetime(2025, 1, 31, 3, tzinfo=UTC)),
    ("2025-01-31", datetime(2025, 1, 30, 15, tzinfo=UTC)),
])
def test_a_moment_is_a_duration_a_date_or_seconds(text: str, moment: datetime) -> None:
    assert filters.until(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "h", "1x", "2025-13-01", "2025-01-31T25:00", "20250131T12", "9" * 30, "1h 2m"])
def test_other_texts_are_no_moment(text: str) -> None:
    with pytest.raises(BadRequest, match="failed to parse value as time or duration"):
        filters.until(text, NOW)


@given(st.text(alphabet="0123456789hms.-:TZ+µ", max_size=25))
@example("20000000h").via("longer ago than the calendar reaches")
def test_any_text_is_a_moment_with_a_zone_or_refused(text: str) -> None:
    try:
        assert filters.until(text, NOW).tzinfo is not None
    except BadRequest as error:
        assert error.hint


WEB = Container("ab" + "0" * 62, "web", "2025-06-15T02:00:00Z", ("sh",), "front", "h", labels=(("tier", "web"),))
NETWORKS = [("front", FRONT.id)]


def shown(*texts: str, state: str = "running", code: int = 0) -> bool:
    return filters.container_passes(filters.of_containers(texts), WEB, state, code, NETWORKS)


@pytest.mark.parametrize(("texts", "passes"), [
    ((), True), (("name=we",), True), (("name=^/web$",), True), (("name=^web$",), True), (("name=db",), False),
    (("name=db", "name=web"), True), (("id=ab0",), True), (("id=^b0",), False), (("label=tier=web",), True),
    (("label=tier=db",), False), (("network=front",), True), (("network=f011",), True), (("network=fro",), False),
    (("network=back", "network=front"), True), (("name=web", "network=back"), False), (("status=running",), True),
    (("status=exited",), False), (("status=exited", "status=running"), True), (("exited=0",), False),
])
def test_running_containers_are_filtered_by_dockers_rules(texts: tuple[str, ...], passes: bool) -> None:
    assert shown(*texts) is passes


def test_an_exit_code_is_one_of_an_ended_container() -> None:
    assert shown("exited=137", state="exited", code=137)
    assert shown("exited=0", "exited=137", state="exited", code=137)
    assert not shown("exited=0", state="exited", code=137)
    assert not shown("exited=0", state="created")


@pytest.mark.parametrize(("text", "words"), [
    ("status=up", ("invalid value for state (up): must be one of created, running, paused, restarting, removing,"
                  " exited, dead")),
    ("exited=x", "invalid filter 'exited=x'"),
    ("colour=red", "invalid filter 'colour'"),
])
def test_wrong_container_filters_are_refused(text: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        filters.of_containers([text])
    assert caught.value.what == words
