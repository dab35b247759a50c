"""What the last list of the registry says of a version that serves."""

import asyncio
import contextlib
from collections.abc import Mapping

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.errors import TransientError
from fairlead_operator.mlflow.registrations import Registrations, keep_listing, keep_reading_code
from support.fakes import FakeRegistry

SERVES = VersionReference(version="1.0.0", registry_version="7", digest="sha256:a")
NAME = "energy.nsw-price"


async def read_code(registrations: Registrations, registry: FakeRegistry) -> list[str]:
    """Read one round; return of whom there is news."""
    return [registered_model async for registered_model in registrations.read_code(registry)]


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        pytest.param({(NAME, "7"): ("1.0.0", "sha256:a")}, "", id="as it was"),
        pytest.param({}, "was deleted", id="deleted"),
        pytest.param({(NAME, "8"): ("1.0.0", "sha256:a")}, "was deleted", id="registered anew"),
        pytest.param({("other", "7"): ("1.0.0", "sha256:a")}, "was deleted", id="another model's"),
        pytest.param({(NAME, "7"): ("2.0.0", "sha256:a")}, "now says version 2.0.0", id="renamed"),
        pytest.param({(NAME, "7"): ("1.0.0", "sha256:b")}, "digest sha256:b", id="another digest"),
        pytest.param({(NAME, "7"): ("", "")}, "version none with digest none", id="no tags"),
    ],
)
def test_problem(listed: dict[tuple[str, str], tuple[str, str]], words: str) -> None:
    registrations = Registrations()
    registrations.take(
        {
            key: RegisteredVersion(version=version, registry_version=key[1], digest=digest)
            for key, (version, digest) in listed.items()
        }
    )

    problem = registrations.problem(NAME, SERVES)

    assert problem is not None
    assert words in problem
    assert bool(problem) == bool(words)


@pytest.mark.parametrize(
    ("listed", "digests"),
    [
        pytest.param({(NAME, "7"): ("1.0.0", "sha256:a")}, {"sha256:a"}, id="one"),
        pytest.param({(NAME, "7"): ("1.0.0", ""), (NAME, "8"): ("1.0.0", "sha256:a")},
                     {"", "sha256:a"}, id="one with a digest, one without"),
        pytest.param({(NAME, "7"): ("1.0.0", "sha256:a"), (NAME, "8"): ("1.0.0", "sha256:b")},
                     {"sha256:a", "sha256:b"}, id="two that differ"),
        pytest.param({(NAME, "7"): ("2.0.0", "sha256:a"), ("other", "1"): ("1.0.0", "sha256:a")},
                     set(), id="another version, another model"),
    ],
)  # fmt: skip
def test_digests(listed: dict[tuple[str, str], tuple[str, str]], digests: set[str]) -> None:
    registrations = Registrations()
    registrations.take(
        {
            key: RegisteredVersion(version=version, registry_version=key[1], digest=known)
            for key, (version, known) in listed.items()
        }
    )

    assert registrations.digests(NAME, "1.0.0") == digests


def test_before_the_first_list_nothing_is_known() -> None:
    assert Registrations().problem(NAME, SERVES) is None
    assert Registrations().digests(NAME, "1.0.0") == frozenset()


def test_what_mlflow_says_later_stands_until_the_next_list() -> None:
    registrations = Registrations()
    found = RegisteredVersion(version="1.0.0", registry_version="7", digest="sha256:a")
    registrations.note(NAME, found)
    assert registrations.problem(NAME, SERVES) is None  # no list yet

    registrations.take({})
    registrations.note(NAME, found)
    assert registrations.problem(NAME, SERVES) == ""

    registrations.take({})
    assert registrations.problem(NAME, SERVES)


@pytest.mark.parametrize(("down", "known"), [(False, ""), (True, None)], ids=["up", "down"])
async def test_a_registry_that_is_away_is_asked_again_later(down: bool, known: str | None) -> None:
    registry, registrations = FakeRegistry(), Registrations()
    registry.register(NAME, "1.0.0", digest="sha256:a")
    registry.down = down
    reference = VersionReference(version="1.0.0", registry_version="1", digest="sha256:a")

    told: list[tuple[str, str]] = []
    task = asyncio.create_task(keep_listing(registrations, registry, lambda *key: told.append(key)))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert registrations.problem(NAME, reference) == known
    assert told == ([] if down else [("energy", "nsw-price")])


@pytest.mark.parametrize(
    ("listed", "changed"),
    [
        pytest.param({"7": ("1.0.0", "sha256:a")}, set(), id="the same"),
        pytest.param({}, {NAME}, id="one was deleted"),
        pytest.param({"7": ("1.0.0", "sha256:b")}, {NAME}, id="its digest changed"),
        pytest.param(
            {"7": ("1.0.0", "sha256:a"), "8": ("1.1.0", "sha256:b")}, {NAME}, id="one is new"
        ),
    ],
)
def test_a_list_says_what_is_new_in_it(
    listed: dict[str, tuple[str, str]], changed: set[str]
) -> None:
    def listing(numbers: dict[str, tuple[str, str]]) -> dict[tuple[str, str], RegisteredVersion]:
        return {
            (NAME, number): RegisteredVersion(
                version=version, registry_version=number, digest=digest
            )
            for number, (version, digest) in numbers.items()
        }

    registrations = Registrations()
    registrations.take(listing({"7": ("1.0.0", "sha256:a")}))

    assert registrations.take(listing(listed)) == changed


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        pytest.param("", "python_function", id="read"),
        pytest.param("down", None, id="MLflow is away: asked again later"),
        pytest.param("unreadable", "", id="it does not say it"),
    ],
)
async def test_code_is_read_of_what_somebody_asked_for(trouble: str, code: str | None) -> None:
    registry, registrations = FakeRegistry(), Registrations()
    registry.register(NAME, "1.0.0", digest="sha256:a")
    registry.code_of["1.0.0"] = "python_function"
    registry.unreadable = {"1.0.0"} if trouble == "unreadable" else set()
    reference = VersionReference(version="1.0.0", registry_version="1", digest="sha256:a")
    assert registrations.code(NAME, reference) is None

    registry.down = trouble == "down"
    await read_code(registrations, registry)

    assert registrations.code(NAME, reference) == code


@pytest.mark.parametrize("code", ["python_function", ""], ids=["code", "data"])
async def test_whatever_is_read_of_a_version_is_told(code: str) -> None:
    """Where only code was told, what had been said of an earlier version stayed."""
    registry, registrations = FakeRegistry(), Registrations()
    registry.register(NAME, "1.0.0", digest="sha256:a")
    registry.code_of["1.0.0"] = code
    reference = VersionReference(version="1.0.0", registry_version="1", digest="sha256:a")
    registrations.code(NAME, reference)

    assert await read_code(registrations, registry) == [NAME]


async def test_code_is_read_once() -> None:
    registry, registrations = FakeRegistry(), Registrations()
    registry.register(NAME, "1.0.0", digest="sha256:a")
    reference = VersionReference(version="1.0.0", registry_version="1", digest="sha256:a")
    registrations.code(NAME, reference)
    await read_code(registrations, registry)

    registry.down = True
    assert await read_code(registrations, registry) == []

    assert registrations.code(NAME, reference) == ""


class SlowRegistry(FakeRegistry):
    """One that answers for one model's files only when it is let, and counts its lists."""

    def __init__(self, slow: str) -> None:
        super().__init__()
        self.slow = slow
        self.answers = asyncio.Event()
        self.lists = 0

    async def code(self, registered_model: str, registry_version: str) -> str:
        if registered_model == self.slow:
            await self.answers.wait()
            raise TransientError("mlflow: MLmodel: HTTP 429")
        return await super().code(registered_model, registry_version)

    async def registrations(self) -> Mapping[tuple[str, str], RegisteredVersion]:
        self.lists += 1
        return await super().registrations()


MODELS = ("energy.a", "energy.b", "energy.c")


@pytest.mark.parametrize("refused", MODELS, ids=["the first", "between", "the last"])
async def test_a_version_that_is_refused_loses_no_news_of_others(refused: str) -> None:
    registry, registrations = SlowRegistry(refused), Registrations()
    registry.answers.set()
    for number, name in enumerate(MODELS, start=1):
        registry.register(name, "1.0.0", digest="sha256:a")
        registrations.code(name, SERVES.model_copy(update={"registry_version": str(number)}))

    read = await read_code(registrations, registry)
    assert read == [name for name in MODELS if name != refused]

    registry.slow = ""
    assert await read_code(registrations, registry) == [refused], "asked again, and it alone"


async def test_a_slow_version_holds_up_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead_operator.mlflow.registrations._EVERY", 0.0)
    registry, registrations = SlowRegistry("energy.b"), Registrations()
    told: list[tuple[str, str]] = []
    for number, name in enumerate(("energy.a", "energy.b"), start=1):
        registry.register(name, "1.0.0", digest="sha256:a")
        registrations.code(name, SERVES.model_copy(update={"registry_version": str(number)}))

    beside = [
        asyncio.create_task(keep(registrations, registry, lambda *key: told.append(key)))
        for keep in (keep_reading_code, keep_listing)
    ]
    async with asyncio.timeout(60):
        while registry.lists < 3:  # noqa: ASYNC110  the condition is the test's, not an event
            await asyncio.sleep(0)
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)

    listed = [("energy", "a"), ("energy", "b")]
    assert told == [("energy", "a"), *listed], "its code first, while the other's is waited for"


async def test_what_left_the_list_while_it_was_read_is_forgotten() -> None:
    registry, registrations = SlowRegistry(""), Registrations()
    registry.register(NAME, "1.0.0", digest="sha256:a")
    registrations.code(NAME, SERVES.model_copy(update={"registry_version": "1"}))
    code = registry.code

    async def read(registered_model: str, registry_version: str) -> str:
        registrations.take({})
        return await code(registered_model, registry_version)

    registry.code = read  # type: ignore[method-assign]

    assert await read_code(registrations, registry) == []
