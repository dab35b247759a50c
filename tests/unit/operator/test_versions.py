"""Which artifact a version is: a row for each thing that the registry and the cluster may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import MOST_KNOWN
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.versions import (
    Problem,
    Refusal,
    choose,
    exchanged,
    find_known,
    highest,
    remember,
)

NAME = "energy.nsw-price"
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def registered(number: str, digest: str = A, version: str = "1.4.0") -> RegisteredVersion:
    return RegisteredVersion(version=version, registry_version=number, digest=digest)


def reference(number: str, digest: str = A, version: str = "1.4.0") -> VersionReference:
    return VersionReference(version=version, registry_version=number, digest=digest)


KNOWN = reference("7")
OURS, FORGED = registered("7"), registered("9", B)


@pytest.mark.parametrize(
    ("found", "known", "pinned", "chosen"),
    [
        pytest.param([OURS], None, None, "7", id="the only one there is: its tag is believed once"),
        pytest.param([], None, None, Problem.MISSING, id="nothing is registered"),
        pytest.param([registered("8", version="1.5.0")], None, None, Problem.MISSING,
                     id="another version is"),
        pytest.param([registered("7", "")], None, None, Problem.MISSING, id="it says no digest"),
        pytest.param([registered("7", "x" * 72)], None, None, Problem.MISSING,
                     id="it says what is too long for one"),
        pytest.param([OURS, FORGED], None, None, Problem.AMBIGUOUS, id="two, and nothing tells"),
        pytest.param([OURS, registered("9")], None, None, Problem.AMBIGUOUS,
                     id="two that say the same: neither is believed"),
        pytest.param([OURS, registered("9", "")], None, None, Problem.AMBIGUOUS,
                     id="two, of which one says nothing"),
        pytest.param([FORGED, OURS], KNOWN, None, "7", id="known: the forged one is passed by"),
        pytest.param([registered("7", B)], KNOWN, None, "7",
                     id="known: its tag says another digest, and its files decide"),
        pytest.param([registered("9")], KNOWN, None, "9",
                     id="known: registered again, and says the same digest"),
        pytest.param([registered("10"), registered("9")], KNOWN, None, "9",
                     id="known: of two that were, the older, by number"),
        pytest.param([FORGED], KNOWN, None, Problem.CHANGED, id="known: exchanged"),
        pytest.param([registered("9", "")], KNOWN, None, Problem.CHANGED,
                     id="known: another number, which says nothing"),
        pytest.param([], KNOWN, None, Problem.MISSING, id="known: deleted"),
        pytest.param([OURS, FORGED], None, B, "9", id="pinned: of two the one"),
        pytest.param([OURS], None, A, "7", id="pinned: as its tag says"),
        pytest.param([registered("7", "")], None, A, "7", id="pinned: what no tag says"),
        pytest.param([registered("7", ""), registered("8", "")], None, A, Problem.CHANGED,
                     id="pinned: two, of which no tag tells"),
        pytest.param([OURS], None, C, Problem.CHANGED, id="pinned: its tag says another"),
        pytest.param([OURS, FORGED], KNOWN, A, "7", id="pinned as it is known"),
        pytest.param([OURS, FORGED], KNOWN, B, "9", id="pinned: the spec goes first"),
        pytest.param([OURS], KNOWN, B, Problem.CHANGED, id="pinned: only what was known is there"),
    ],
)  # fmt: skip
def test_which_registration_it_is(
    found: list[RegisteredVersion],
    known: VersionReference | None,
    pinned: str | None,
    chosen: str | Problem,
) -> None:
    choice = choose("1.4.0", found, model=NAME, known=known, pinned=pinned)

    if isinstance(choice, Refusal):
        assert choice.problem is chosen
    else:
        assert choice.registry_version == chosen
        assert choice.digest == (pinned or A)


@pytest.mark.parametrize(
    ("found", "known", "pinned", "words"),
    [
        pytest.param([FORGED, OURS], None, None,
                     [f"2 registrations of {NAME} 1.4.0: registry version 7 with digest {A}",
                      f"registry version 9 with digest {B}", "versionDigest"], id="two"),
        pytest.param([registered(str(number)) for number in range(7)], None, None,
                     ["7 registrations", "and 3 more"], id="many"),
        pytest.param([registered("9", "\x1b[31m")], KNOWN, None, ["registry version 9", " [31m"],
                     id="a tag that paints a terminal"),
        pytest.param([FORGED], KNOWN, None,
                     [f"its digest has been {A}", f"registry version 9 with digest {B}",
                      "under another version"], id="exchanged"),
        pytest.param([FORGED], None, C,
                     [f"versionDigest asks for {C}", f"registry version 9 with digest {B}",
                      "correct versionDigest"], id="pinned to another"),
        pytest.param([registered("9", "")], KNOWN, None, ["registry version 9 with no digest"],
                     id="one that says none"),
    ],
)  # fmt: skip
def test_a_refusal_names_numbers_and_digests(
    found: list[RegisteredVersion],
    known: VersionReference | None,
    pinned: str | None,
    words: list[str],
) -> None:
    choice = choose("1.4.0", found, model=NAME, known=known, pinned=pinned)

    assert isinstance(choice, Refusal)
    assert all(word in choice.message for word in words), choice.message
    assert choice.message.isprintable()
    assert len(choice.message) <= 1024


DIGESTS = st.sampled_from(["", A, B, C, "x" * 100])
REGISTERED = st.lists(
    st.builds(
        RegisteredVersion,
        version=st.sampled_from(["1.4.0", "1.5.0"]),
        registry_version=st.sampled_from(["1", "2", "9", "10", "x", ""]),
        digest=DIGESTS,
    ),
    max_size=6,
)


@given(found=REGISTERED, known=st.none() | st.just(KNOWN), pinned=st.sampled_from([None, A, B]))
def test_whatever_is_registered_no_other_artifact_is_taken(
    found: list[RegisteredVersion], known: VersionReference | None, pinned: str | None
) -> None:
    choice = choose("1.4.0", found, model=NAME, known=known, pinned=pinned)

    if isinstance(choice, Refusal):
        return
    assert choice.version == "1.4.0"
    assert choice.digest
    assert pinned in {None, choice.digest}
    assert known is None or choice.digest in {known.digest, pinned}
    assert choice.registry_version in {one.registry_version for one in found}


@given(found=REGISTERED, data=st.data())
def test_the_order_of_an_answer_says_nothing(
    found: list[RegisteredVersion], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(found))

    def problem(listed: list[RegisteredVersion]) -> object:
        choice = choose("1.4.0", listed, model=NAME, known=KNOWN)
        return choice.problem if isinstance(choice, Refusal) else choice

    assert problem(found) == problem(shuffled)


@pytest.mark.parametrize(
    ("stable", "version", "pinned", "words"),
    [
        pytest.param(KNOWN, "1.4.0", B, f"in charge with digest {A}", id="another artifact"),
        pytest.param(KNOWN, "1.4.0", A, "", id="the same"),
        pytest.param(KNOWN, "1.4.0", None, "", id="no digest is asked for"),
        pytest.param(KNOWN, "1.5.0", B, "", id="another version"),
        pytest.param(reference("7", ""), "1.4.0", B, "", id="what is in charge is not known"),
        pytest.param(None, "1.4.0", B, "", id="nothing is in charge"),
    ],
)
def test_what_is_in_charge_is_not_exchanged(
    stable: VersionReference | None, version: str, pinned: str | None, words: str
) -> None:
    told = exchanged(stable, version=version, pinned=pinned)

    assert words in told
    assert bool(told) == bool(words)


NEWER = reference("8", version="1.5.0")


@pytest.mark.parametrize(
    ("known", "before", "now", "kept"),
    [
        pytest.param([], [], [], [], id="nothing"),
        pytest.param([], [KNOWN], [], [KNOWN], id="an upgrade: the children tell"),
        pytest.param([KNOWN], [reference("9", B)], [], [KNOWN],
                     id="what was told before goes not before what is known"),
        pytest.param([KNOWN], [], [reference("9", B)], [reference("9", B)],
                     id="what holds now does"),
        pytest.param([KNOWN, NEWER], [], [KNOWN], [KNOWN, NEWER], id="said again: as it was"),
        pytest.param([], [reference("7", "")], [reference("7", "")], [],
                     id="what has no digest says nothing"),
        pytest.param([], [NEWER, KNOWN], [], [NEWER, KNOWN], id="in the order that it was told"),
    ],
)  # fmt: skip
def test_what_is_remembered(
    known: list[VersionReference],
    before: list[VersionReference],
    now: list[VersionReference],
    kept: list[VersionReference],
) -> None:
    assert list(remember(known, before=before, now=now)) == kept
    assert list(remember(kept, before=before, now=now)) == kept, "a second look changes nothing"


def test_the_latest_are_remembered() -> None:
    many = [reference(str(number), version=f"1.{number}.0") for number in range(50)]

    kept = remember(many[:30], now=many[30:])

    assert list(kept) == many[-MOST_KNOWN:]


def test_what_is_known_of_a_version() -> None:
    assert find_known("1.4.0", [None, reference("1", ""), NEWER, KNOWN]) == KNOWN
    assert find_known("9.9.9", [KNOWN]) is None


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        pytest.param([], None, id="none"),
        pytest.param(["1.9.0", "1.10.0", "1.2.30"], "1.10.0", id="by number, not by letter"),
        pytest.param(["x", "1.0", "1.0.0-rc1"], None, id="what is no version"),
    ],
)
def test_highest(versions: list[str], found: str | None) -> None:
    assert highest(versions) == found
