"""The rule for version numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_training.versioning import Existing, next_version, signature_digest

numbers = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))


def existing(version: str, signature: str | None = "s", recipe: str | None = "r") -> Existing:
    return Existing(version=version, signature=signature, recipe=recipe)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        pytest.param([], "1.0.0", id="first"),
        pytest.param([existing("1.4.2")], "1.4.3", id="same recipe on newer data"),
        pytest.param([existing("1.4.2", recipe="old")], "1.5.0", id="another recipe"),
        pytest.param([existing("1.4.2", signature="old")], "2.0.0", id="another signature"),
        pytest.param(
            [existing("1.4.2", signature="old", recipe="old")],
            "2.0.0",
            id="both: signature decides",
        ),
        pytest.param([existing("1.4.2", recipe=None)], "1.5.0", id="recipe unknown"),
        pytest.param([existing("1.4.2", signature=None)], "2.0.0", id="signature unknown"),
        pytest.param([existing("1.9.0"), existing("1.10.0")], "1.10.1", id="ten is above nine"),
        pytest.param(
            [existing("2.0.0", signature="old"), existing("1.9.9")], "3.0.0", id="highest decides"
        ),
        pytest.param([existing("latest"), existing("")], "1.0.0", id="no semantic number"),
    ],
)
def test_next_version(versions: list[Existing], expected: str) -> None:
    assert next_version(versions, signature="s", recipe="r") == expected


@pytest.mark.parametrize(
    ("versions", "after", "expected"),
    [
        pytest.param([existing("1.4.2")], "1.4.2", "1.4.3", id="the registry has it"),
        pytest.param([existing("1.4.2")], "1.5.0", "1.5.1", id="the registry has lost it"),
        pytest.param([existing("1.4.2", recipe="old")], "1.5.0", "1.6.0",
                     id="and the recipe has changed"),
        pytest.param([existing("1.4.2")], "1.0.0", "1.4.3", id="it is not the highest"),
        pytest.param([], "1.4.2", "2.0.0", id="the registry is empty"),
        pytest.param([existing(f"{10**40}.0.0"), existing("1.4.2")], None, "1.4.3",
                     id="a number that no status could hold is passed over"),
    ],
)  # fmt: skip
def test_no_number_is_given_twice(
    versions: list[Existing], after: str | None, expected: str
) -> None:
    assert next_version(versions, signature="s", recipe="r", after=after) == expected


@given(
    st.lists(
        st.builds(
            Existing,
            version=numbers.map(lambda parts: ".".join(map(str, parts))),
            signature=st.sampled_from(["s", "t", None]),
            recipe=st.sampled_from(["r", "q", None]),
        )
    )
)
def test_the_next_version_is_above_all(versions: list[Existing]) -> None:
    found = _key(next_version(versions, signature="s", recipe="r"))

    assert all(found > _key(version.version) for version in versions)


def test_the_signature_digest_does_not_depend_on_how_the_json_is_written() -> None:
    columns = [{"type": "double", "name": "demand", "required": True}]
    spaced = json.dumps(columns, indent=2, sort_keys=True)

    assert signature_digest({"inputs": json.dumps(columns)}) == signature_digest({"inputs": spaced})
    assert signature_digest({"inputs": spaced}) != signature_digest({"outputs": spaced})


def test_other_classes_are_another_signature() -> None:
    plain = signature_digest({"inputs": "[]"})
    digests = [
        signature_digest({"inputs": "[]"}, classes)
        for classes in (("no", "yes"), ("yes", "no"), ("no", "yes", "maybe"), (1, 2), ("1", "2"))
    ]

    assert signature_digest({"inputs": "[]"}, ()) == plain
    assert len({plain, *digests}) == 6


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
