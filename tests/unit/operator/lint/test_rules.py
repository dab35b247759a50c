"""Every rule of the CRDs is evaluated, with what Kubernetes adds to CEL."""

from collections.abc import Iterator
from typing import Any

import pytest

from fairlead_operator.crds import build_crds
from fairlead_operator.lint.rules import _compile, find_broken_rules


def rules(node: Any) -> Iterator[str]:
    """Yield every rule at a node and below."""
    if isinstance(node, dict):
        yield from (rule["rule"] for rule in node.get("x-kubernetes-validations", ()))
        node = list(node.values())
    for inner in node if isinstance(node, list) else ():
        yield from rules(inner)


@pytest.mark.parametrize("rule", sorted({*rules(list(build_crds().values()))}))
def test_the_library_takes_every_rule(rule: str) -> None:
    if "oldSelf" not in rule:
        assert _compile(rule).return_type().name() == "BOOL"


def said(rule: str, value: Any, schema: dict[str, Any]) -> list[str]:
    whole = schema | {"x-kubernetes-validations": [{"rule": rule, "message": "no"}]}
    return [problem.message for problem in find_broken_rules(whole, value, "f")]


TEXT = {"type": "string"}
NUMBERS = {"type": "array", "items": {"type": "integer"}}
TWO = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
MORE = "quantity(self.a).isGreaterThan(quantity(self.b))"


@pytest.mark.parametrize(
    ("rule", "value", "schema", "holds"),
    [
        pytest.param("self.isSorted()", [1, 1, 2], NUMBERS, True, id="sorted"),
        pytest.param("self.isSorted()", [10, 9], NUMBERS, False, id="not sorted"),
        pytest.param("self.isSorted()", [], NUMBERS, True, id="none are sorted"),
        pytest.param("self.sum() == 6", [1, 2, 3], NUMBERS, True, id="a sum"),
        pytest.param("self.sum() == 0", [], NUMBERS, True, id="the sum of none"),
        *(
            pytest.param(MORE, {"a": a, "b": b}, TWO, holds, id=f"{a} > {b}")
            for a, b, holds in (
                ("1100m", "1", True),
                ("1000m", "1", False),
                ("1Gi", "1G", True),
                ("0.5", "500m", False),
                ("3Gi", "2Gi", True),
                ("1Ki", "1k", True),
                ("2", "1999m", True),
                ("1Ti", "1024Gi", False),
                ("2e3", "1k", True),
                ("1E-3", "1m", False),
            )
        ),
        pytest.param("self.?a.orValue('x') == 'x'", {}, TWO, True, id="an optional path"),
        pytest.param("self.?a.hasValue()", {"a": "b"}, TWO, True, id="one that is there"),
        pytest.param("self > 0.4", 1, {"type": "number"}, True, id="a whole number is a fraction"),
        pytest.param("self >= 1", 1, {"type": "integer"}, True, id="a whole number"),
        pytest.param(
            "self < timestamp('2027-01-01T00:00:00Z')",
            "2026-12-31T23:59:59.999+00:00",
            {"type": "string", "format": "date-time"},
            True,
            id="a moment",
        ),
        pytest.param("duration(self) <= duration('1h')", "61m", TEXT, False, id="a duration"),
        pytest.param(r"self.matches(r'^[^\x00-\x1f]+$')", "a\nb", TEXT, False, id="a pattern"),
        pytest.param("self == oldSelf", "a", TEXT, True, id="what asks for the old holds of a new"),
        *(
            pytest.param(
                f"timestamp('2026-01-01T00:00:00Z').getHours(self) == {hour}", zone, TEXT, True,
                id=f"in {zone}",
            )
            for zone, hour in (
                ("Australia/Sydney", 11), ("UTC", 0), ("", 0), ("+10:00", 10), ("-1:30", 22),
                ("24:00", 0),
            )
        ),
    ],
)  # fmt: skip
def test_a_rule(rule: str, value: Any, schema: dict[str, Any], holds: bool) -> None:
    assert bool(said(rule, value, schema)) is not holds


@pytest.mark.parametrize(
    ("rule", "value", "schema", "message"),
    [
        pytest.param(
            "timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0", "Europe/Atlantis", TEXT,
            'Invalid value: "string": unknown time zone Europe/Atlantis evaluating rule: no',
            id="no such zone",
        ),
        pytest.param(
            "timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0", "Europe/..", TEXT,
            'Invalid value: "string": time: invalid location name evaluating rule: no',
            id="no name of a zone",
        ),
        pytest.param(
            "duration(self) > duration('1s')", "", TEXT,
            'Invalid value: "string": type conversion error from \'string\' to '
            "'google.protobuf.Duration' evaluating rule: no",
            id="no duration",
        ),
        *(
            pytest.param(
                MORE, {"a": amount, "b": "1"}, TWO,
                'Invalid value: "object": quantities must match the regular expression '
                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' evaluating rule: no",
                id=f"no amount: {amount}",
            )
            for amount in ("two", "1GB", "1h", "")
        ),
        pytest.param(
            MORE, {"a": "1KM", "b": "1"}, TWO,
            'Invalid value: "object": unable to parse quantity\'s suffix evaluating rule: no',
            id="no unit",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_evaluated(
    rule: str, value: Any, schema: dict[str, Any], message: str
) -> None:
    assert said(rule, value, schema) == [message]


def test_a_rule_is_told_where_it_says() -> None:
    inner = {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 5", "message": "a"}]}
    schema = {
        "type": "object",
        "properties": {"n": {"type": "array", "items": inner}},
        "x-kubernetes-validations": [
            {"rule": "size(self.n) < 2", "message": " b ", "fieldPath": ".n"}
        ],
    }

    problems = list(find_broken_rules(schema, {"n": [4, 5]}))

    assert [(problem.field, problem.message) for problem in problems] == [
        ("n", "Invalid value: b"),
        ("n[1]", "Invalid value: 5: a"),
    ]
