"""Records behave as frozen, slotted dataclasses with keyword and positional fields do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidock.model.record import Record


class Point(Record):
    x: int
    y: int = 0
    name: str = ""


class Sized(Point):
    size: int = 1
    _hidden: int

    @property
    def area(self) -> int:
        return self.size * self.size


class Other(Record):
    x: int
    y: int = 0
    name: str = ""


def test_fields_come_by_place_or_by_name_and_have_defaults() -> None:
    assert Point(1) == Point(x=1) == Point(1, 0) == Point(1, y=0, name="")
    assert (Point(1, 2).x, Point(1, 2).y) == (1, 2)


@pytest.mark.parametrize(("values", "named", "words"), [
    ((), {}, "needs x"),
    ((1, 2, "a", 4), {}, "takes x, y, name"),
    ((1,), {"x": 2}, "takes x, y, name"),
    ((1,), {"z": 2}, "takes x, y, name"),
])
def test_wrong_fields_are_refused(values: tuple[object, ...], named: dict[str, object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Point(*values, **named)


def test_nothing_can_be_changed_or_added() -> None:
    point = Point(1, 2)
    for change in (lambda: setattr(point, "x", 5), lambda: setattr(point, "new", 5), lambda: delattr(point, "x")):
        with pytest.raises(AttributeError):
            change()
    assert point == Point(1, 2)
    assert not hasattr(point, "__dict__")


def test_equal_only_within_one_class() -> None:
    assert Point(1) != Other(1)
    assert Point(1) != Point(2)
    assert Point(1) != (1, 0, "")
    assert len({Point(1), Point(1), Point(2), Other(1)}) == 3


def test_children_add_fields_after_their_parent_s() -> None:
    assert Sized.fields == ("x", "y", "name", "size")  # type: ignore[comparison-overlap]
    sized = Sized(1, size=3)
    assert (sized.x, sized.size, sized.area) == (1, 3, 9)
    assert sized != Point(1)


def test_but_changes_a_copy() -> None:
    first = Point(1, 2, "a")
    assert first.but(y=5) == Point(1, 5, "a")
    assert first == Point(1, 2, "a")
    with pytest.raises(TypeError):
        first.but(z=1)


def test_it_shows_what_it_is() -> None:
    assert repr(Sized(1, 2, "a", 4)) == "Sized(x=1, y=2, name='a', size=4)"


@given(st.integers(), st.integers(), st.text())
def test_repr_is_the_expression_that_makes_it(x: int, y: int, name: str) -> None:
    point = Point(x, y, name)
    assert eval(repr(point)) == point
    assert tuple(point) == (x, y, name)
