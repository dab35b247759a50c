"""Fields of a JSON object, and refusals that name them."""

from collections.abc import Callable
from typing import Any

import pytest

from fairlead_serving.gateway.routes import fields
from fairlead_serving.gateway.routes.fields import InvalidRouteError


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        pytest.param(lambda d: fields.text(d, "f"), "x", "x", id="text"),
        pytest.param(lambda d: fields.label(d, "f"), "a-1", "a-1", id="label"),
        pytest.param(lambda d: fields.label(d, "f"), "a" * 63, "a" * 63, id="label: the longest"),
        pytest.param(lambda d: fields.number(d, "f", 0, 1), 0.5, 0.5, id="number"),
        pytest.param(lambda d: fields.number(d, "f", 0, 1), 1, 1, id="number: at its bound"),
        pytest.param(lambda d: fields.number(d, "outer.f", 0, 1), 0, 0, id="number: inside"),
        pytest.param(lambda d: fields.integer(d, "f", 1, 9), 9, 9, id="integer"),
        pytest.param(lambda d: fields.optional(d, "f"), {"a": 1}, {"a": 1}, id="object"),
        pytest.param(lambda d: fields.optional(d, "f"), None, None, id="object: left out"),
    ],
)
def test_a_good_value_is_taken(
    read: Callable[[dict[str, Any]], Any], value: object, expected: object
) -> None:
    assert read({"f": value}) == expected


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        pytest.param(lambda d: fields.text(d, "f"), "", "f is", id="text: empty"),
        pytest.param(lambda d: fields.text(d, "f"), 7, "f is", id="text: a number"),
        pytest.param(lambda d: fields.text(d, "f", name="outer.f"), None, "outer.f is", id="inner"),
        pytest.param(lambda d: fields.label(d, "f"), "A", "f 'A' is not a DNS", id="label: upper"),
        pytest.param(lambda d: fields.label(d, "f"), "-a", "not a DNS", id="label: a dash first"),
        pytest.param(lambda d: fields.label(d, "f"), "a" * 64, "not a DNS", id="label: long"),
        pytest.param(lambda d: fields.number(d, "f", 0, 1), "1", "f is", id="number: a text"),
        pytest.param(lambda d: fields.number(d, "f", 0, 1), True, "f is", id="number: a boolean"),
        pytest.param(
            lambda d: fields.number(d, "f", 0, 1), 1.1, "f is 1.1; give 0 to 1", id="over"
        ),
        pytest.param(
            lambda d: fields.number(d, "f", 0, 1), float("nan"), "f is nan; give", id="NaN"
        ),
        pytest.param(lambda d: fields.integer(d, "f", 1, 9), 1.0, "f is", id="integer: a float"),
        pytest.param(lambda d: fields.integer(d, "f", 1, 9), 0, "give 1 to 9", id="below"),
        pytest.param(lambda d: fields.optional(d, "f"), [], "f is not an object", id="a list"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(
    read: Callable[[dict[str, Any]], Any], value: object, message: str
) -> None:
    with pytest.raises(InvalidRouteError, match=message):
        read({"f": value})


def test_hosts_are_taken_once_each() -> None:
    assert fields.hosts({"hosts": ["b", "a.x", "b"]}) == ("b", "a.x")


@pytest.mark.parametrize("hosts", [None, [], "a", ["A"], ["a:80"], ["*"], [7], [""]])
def test_what_is_not_a_list_of_hosts_is_refused(hosts: object) -> None:
    with pytest.raises(InvalidRouteError, match=r"preview\.hosts"):
        fields.hosts({"hosts": hosts}, "preview.hosts")
