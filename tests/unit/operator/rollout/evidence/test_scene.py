"""Whose answers are asked for, and of which minutes."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.prometheus.counting import GATEWAY, SERVERS, Series, Span, Target
from fairlead_operator.rollout.evidence.scene import Pairing, Scene
from support.builders import MINUTE, NOW


def pairing(series: Series = GATEWAY) -> Pairing:
    return Pairing(namespace="energy", model="nsw-price", stable="1.0.0", now=NOW, series=series)


def scene(*, ago: timedelta = 3 * MINUTE, series: Series = GATEWAY, **changes: Any) -> Scene:
    """A candidate that has been in its step for three minutes."""
    return Scene(pairing=pairing(series), version="1.1.0", since=NOW - ago, **changes)


def target(version: str, **changes: Any) -> Target:
    return Target(namespace="energy", model="nsw-price", version=version, **changes)


@pytest.mark.parametrize("series", [GATEWAY, SERVERS], ids=["the gateway's", "the servers'"])
def test_both_versions_are_counted_by_the_same_side(series: Series) -> None:
    look = scene(series=series)

    assert look.target == target("1.1.0", series=series)
    assert look.stable == target("1.0.0", series=series)


def test_a_candidate_with_copies_only_is_judged_by_them_and_the_stable_version_by_its_own() -> None:
    look = scene(mirrored=True)

    assert (look.target.mirrored, look.stable.mirrored) == (True, False)


@pytest.mark.parametrize(
    ("ago", "length"),
    [
        pytest.param(3 * MINUTE, 3 * MINUTE, id="since the step began"),
        pytest.param(timedelta(0), timedelta(seconds=1), id="a step that begins now: one second"),
        pytest.param(-MINUTE, timedelta(seconds=1), id="a clock that was set back: one second"),
    ],
)
def test_span(ago: timedelta, length: timedelta) -> None:
    assert scene(ago=ago).span == Span(length=length)


@pytest.mark.parametrize(
    ("reference", "is_alone", "past"),
    [
        pytest.param(
            None, False, Span(length=3 * MINUTE), id="side by side: the same minutes of both"
        ),
        pytest.param(
            10 * MINUTE,
            True,
            Span(length=10 * MINUTE, ago=3 * MINUTE),
            id="all traffic: the stable version's last minutes, before those",
        ),
        pytest.param(
            timedelta(0),
            True,
            Span(length=timedelta(seconds=1), ago=3 * MINUTE),
            id="the stable version had none: one second",
        ),
    ],
)
def test_counted(reference: timedelta | None, is_alone: bool, past: Span) -> None:
    look = scene(reference=reference)

    assert look.is_alone is is_alone
    assert look.counted == {
        "candidate": (target("1.1.0"), Span(length=3 * MINUTE)),
        "stable": (target("1.0.0"), past),
    }
