"""What ``ports.Record`` promises, as checks that the fake and PostgreSQL both pass."""

import dataclasses
import math
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest

from fairlead_contract.search import study_name
from fairlead_operator.api.builtins import Loss
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Limits, Moments, Record, Subject, Tally
from support.fake_record import Feedback, Prediction
from support.fakes import START


class RecordDesk(Protocol):
    """A record that a test fills as model servers would."""

    port: Record

    async def write(self, *rows: Prediction | Feedback) -> None: ...

    async def search(self, study: str) -> None:
        """Run trials of a study of this name, as trainers do."""

    async def studies(self) -> Collection[str]:
        """Return the names of the studies of which anything is left."""

    async def opens(self, namespace: str, password: str) -> bool:
        """Tell whether the namespace's own login opens with this password."""

    async def go_down(self) -> None:
        """Answer nobody from now on."""


RecordCheck = Callable[[RecordDesk, str], Awaitable[None]]

_EARLY = START - timedelta(hours=1)


class Writer:
    """Rows of one Model, whose name keeps the checks apart."""

    def __init__(self, desk: RecordDesk, model: str) -> None:
        self._desk = desk
        self.model = model
        self.candidate = Subject(namespace="energy", model=model, version="1.1.0", since=START)

    async def moments(self, loss: Loss) -> Moments:
        return await self._desk.port.losses(loss, self.candidate)

    async def predict(self, version: str, *, at: datetime = START, **parts: Any) -> str:
        """Write one row; return its prediction id."""
        name = str(uuid.uuid4())
        await self._desk.write(
            Prediction(model=self.model, version=version, at=at, prediction_id=name, **parts)
        )
        return name

    async def tell(self, prediction_id: str, **parts: Any) -> None:
        await self._desk.write(Feedback(model=self.model, prediction_id=prediction_id, **parts))


async def an_empty_record_has_no_trials(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    nothing = Tally(successes=0, trials=0)

    assert await desk.port.tally("accuracy", writer.candidate) == nothing
    assert await desk.port.tally("reward", writer.candidate) == nothing
    assert await desk.port.agreement(writer.candidate, "1.0.0") == nothing
    assert await writer.moments("squared") == Moments(count=0, total=0, squares=0)
    assert await desk.port.distributions(writer.candidate, "1.0.0") == ((), ())


async def labels_count_for_the_version_that_predicted(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for version, class_, label in (
        ("1.1.0", "1", 1),
        ("1.1.0", "1", 0),
        ("1.1.0", "up", "up"),
        ("1.0.0", "1", 0),
    ):
        name = await writer.predict(version, class_=class_)
        await writer.tell(name, label=label)
    await writer.predict("1.1.0", class_="1")  # nobody knows yet

    tally = await desk.port.tally("accuracy", writer.candidate)

    assert tally == Tally(successes=2, trials=3)


async def what_was_predicted_before_does_not_count(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    name = await writer.predict("1.1.0", at=_EARLY, class_="1", value=0.9)
    await writer.tell(name, label=1, reward=1.0)

    assert (await desk.port.tally("accuracy", writer.candidate)).trials == 0
    assert (await desk.port.tally("reward", writer.candidate)).trials == 0
    assert (await writer.moments("log-loss")).count == 0


async def feedback_of_another_model_does_not_count(desk: RecordDesk, model: str) -> None:
    writer, other = Writer(desk, model), Writer(desk, f"{model}-other")
    name = await writer.predict("1.1.0", class_="1")
    await other.tell(name, label=1, reward=1.0)

    assert (await desk.port.tally("accuracy", writer.candidate)).trials == 0
    assert (await desk.port.tally("reward", writer.candidate)).trials == 0


async def a_mirrored_row_takes_the_label_of_the_live_one(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for row_index, label in enumerate((1, 0)):
        parts = {"request_id": "r", "row_index": row_index, "class_": "1"}
        live = await writer.predict("1.0.0", at=START - timedelta(seconds=1), **parts)
        await writer.predict("1.1.0", mirrored=True, **parts)
        await writer.tell(live, row_index=row_index, label=label, reward=1.0)

    tally = await desk.port.tally("accuracy", writer.candidate)
    reward = await desk.port.tally("reward", writer.candidate)

    assert tally == Tally(successes=1, trials=2)
    assert reward.trials == 0, "the user never saw its answer"


async def rewards_count_by_their_part(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for reward in (1.0, 0.25, None):
        await writer.tell(await writer.predict("1.1.0", value=3.0), label=1, reward=reward)

    tally = await desk.port.tally("reward", writer.candidate)

    assert tally == Tally(successes=1.25, trials=2)


async def probabilities_have_losses(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for value, label in ((0.8, 1), (0.8, 0), (1.0, 0)):
        await writer.tell(await writer.predict("1.1.0", value=value, class_="1"), label=label)

    nats = [-math.log(0.8), -math.log(0.2), -math.log(1e-15)]
    assert await writer.moments("log-loss") == moments(nats)
    assert await writer.moments("absolute") == moments([0.2, 0.8, 1.0])


async def classes_have_a_log_loss(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for label in (2, 0, 7):
        name = await writer.predict("1.1.0", class_="2", probabilities=(0.25, 0.0, 0.75))
        await writer.tell(name, label=label)

    nats = [-math.log(0.75), -math.log(0.25), -math.log(1e-15)]
    assert await writer.moments("log-loss") == moments(nats)
    assert (await writer.moments("absolute")).count == 0


async def classes_with_names_have_a_log_loss(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    names = ("clear", "rain", 'so "so", it is')
    for label in (names[2], "clear", "snow"):
        name = await writer.predict(
            "1.1.0", class_=names[2], probabilities=(0.25, 0.0, 0.75), classes=names
        )
        await writer.tell(name, label=label)
    for label in ("yes", "no", "perhaps"):
        name = await writer.predict("1.1.0", class_="yes", value=0.8, classes=("no", "yes"))
        await writer.tell(name, label=label)

    nats = [-math.log(share) for share in (0.75, 0.25, 1e-15, 0.8, 0.2, 1e-15)]
    assert await writer.moments("log-loss") == moments(nats)
    assert await desk.port.tally("accuracy", writer.candidate) == Tally(successes=2, trials=6)


async def numbers_have_errors(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for value, label in ((10.0, 12.0), (10.0, 6.0)):
        await writer.tell(await writer.predict("1.1.0", value=value), label=label)

    assert await writer.moments("absolute") == moments([2.0, 4.0])
    assert await writer.moments("squared") == moments([4.0, 16.0])
    assert (await writer.moments("log-loss")).count == 0
    assert (await desk.port.tally("accuracy", writer.candidate)).trials == 0


def moments(values: Sequence[float]) -> Moments:
    return Moments(
        count=len(values),
        total=pytest.approx(sum(values)),
        squares=pytest.approx(sum(value**2 for value in values)),
    )


async def classes_agree_when_equal(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for at, (ours, theirs) in enumerate((("1", "1"), ("1", "0"), ("0", "0"))):
        await writer.predict("1.0.0", request_id=f"r{at}", class_=theirs)
        await writer.predict("1.1.0", request_id=f"r{at}", class_=ours, mirrored=True)
    await writer.predict("1.0.0", request_id="alone", class_="1")
    await writer.predict("1.1.0", class_="1")
    await writer.predict("1.0.0", class_="1")

    agreement = await desk.port.agreement(writer.candidate, "1.0.0")

    assert agreement == Tally(successes=2, trials=3)


async def numbers_agree_when_close_for_their_spread(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for at, (ours, theirs) in enumerate(((0.9, 0.0), (11.1, 10.0), (20.5, 20.0))):
        await writer.predict("1.0.0", request_id=f"r{at}", value=theirs)
        await writer.predict("1.1.0", request_id=f"r{at}", value=ours, mirrored=True)

    agreement = await desk.port.agreement(writer.candidate, "1.0.0")

    assert agreement == Tally(successes=1, trials=3)  # a tenth of the deviation is 0.82


async def a_request_id_that_comes_again_counts_once(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for at in range(3):
        later = START + timedelta(seconds=at)
        await writer.predict("1.0.0", request_id="r", at=later, class_="1")
        await writer.predict("1.1.0", request_id="r", at=later, class_="0" if at else "1")

    agreement = await desk.port.agreement(writer.candidate, "1.0.0")

    assert agreement == Tally(successes=1, trials=1)


async def numbers_fall_into_deciles_of_both(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for at in range(10):
        await writer.predict("1.0.0", value=at / 10)
    before = await desk.port.distributions(writer.candidate, "1.0.0")
    for at in range(10):
        await writer.predict("1.1.0", value=1.0 + at / 10)

    ours, theirs = await desk.port.distributions(writer.candidate, "1.0.0")

    assert before == ((), ()), "nothing to compare yet"
    assert (sum(ours), sum(theirs), len(ours)) == (10, 10, 10)
    assert max(theirs[6:]) == max(ours[:5]) == 0


async def classes_are_bins_of_their_own(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    for version, classes in (("1.0.0", "aab"), ("1.1.0", "bc")):
        for class_ in classes:
            await writer.predict(version, class_=class_, probabilities=(0.5, 0.5))

    distributions = await desk.port.distributions(writer.candidate, "1.0.0")

    assert distributions == ((0, 1, 1), (2, 1, 0))


async def two_classes_are_compared_by_one_of_them(desk: RecordDesk, model: str) -> None:
    """As when spec.data.positiveClass turns them round."""
    writer = Writer(desk, model)
    for at in range(8):
        value = at / 16  # which 1 - value is exact of
        await writer.predict("1.0.0", value=value, class_="0")
        await writer.predict("1.1.0", value=1 - value, class_="0", classes=("1", "0"))

    ours, theirs = await desk.port.distributions(writer.candidate, "1.0.0")

    assert (sum(ours), ours) == (8, theirs)


async def history_is_kept_once_and_newest_first(desk: RecordDesk, model: str) -> None:
    started = HistoryEntry(
        namespace="energy",
        model=model,
        rollout=f"{model}-1",
        rollout_uid=f"{model}-uid",
        transition="Started",
        at=START,
        version="1.1.0",
    )
    ended = dataclasses.replace(
        started,
        transition="RolledBack",
        at=START + timedelta(minutes=5),
        stable="1.0.0",
        began=START,
        ended=START + timedelta(minutes=5),
        weight=25,
        trigger="training",
        by="Ada",
        reason="AnalysisFailed",
        message="success-rate 91 %, allowed 99 %",
        numbers={"success-rate": {"value": 0.91, "samples": 200}},
    )
    for entry in (started, ended, dataclasses.replace(started, by="again")):
        await desk.port.add_history(entry)

    assert list(await desk.port.history("energy", model, 10)) == [ended, started]
    assert list(await desk.port.history("energy", model, 1)) == [ended]
    assert list(await desk.port.history("elsewhere", model, 10)) == []


async def the_study_of_one_training_is_forgotten(desk: RecordDesk, model: str) -> None:
    await desk.port.forget_study(model, "uid-1")  # before there is any
    mine, *others = (
        study_name(model, "run", "uid-1"),
        study_name(model, "run", "uid-10"),
        study_name(model, "run", "1"),
        study_name(f"{model}-2", "run", "uid-1"),
        study_name(f"{model}_", "run", "uid-1"),
    )
    for study in (mine, *others):
        await desk.search(study)

    await desk.port.forget_study(model, "uid-1")
    await desk.port.forget_study(model, "uid-1")

    left = [study for study in await desk.studies() if study.startswith(model)]
    assert sorted(left) == sorted(others)


async def a_login_opens_with_the_password_given_last(desk: RecordDesk, namespace: str) -> None:
    for password in ("first", "second", "second"):
        await desk.port.provide_login(namespace, password, limits=Limits())

    assert [await desk.opens(namespace, each) for each in ("first", "second")] == [False, True]
    assert list(await desk.port.tenants()) == [namespace]

    await desk.port.remove_login(namespace)
    await desk.port.remove_login(namespace)
    assert not await desk.opens(namespace, "second")
    assert list(await desk.port.tenants()) == []

    await desk.port.provide_login(namespace, "third", limits=Limits())
    assert await desk.opens(namespace, "third")
    await desk.port.remove_login(namespace)


async def a_record_that_is_down_is_transient(desk: RecordDesk, model: str) -> None:
    writer = Writer(desk, model)
    await desk.go_down()
    calls: Sequence[Awaitable[object]] = (
        desk.port.tally("accuracy", writer.candidate),
        desk.port.agreement(writer.candidate, "1.0.0"),
        desk.port.losses("squared", writer.candidate),
        desk.port.distributions(writer.candidate, "1.0.0"),
        desk.port.history("energy", model, 1),
        desk.port.forget_study("energy", "uid"),
        desk.port.provide_login("energy", "password", limits=Limits()),
        desk.port.remove_login("energy"),
        desk.port.tenants(),
    )
    for call in calls:
        with pytest.raises(TransientError, match=r"^record database: "):
            await call


RECORD: tuple[RecordCheck, ...] = (
    an_empty_record_has_no_trials,
    labels_count_for_the_version_that_predicted,
    what_was_predicted_before_does_not_count,
    feedback_of_another_model_does_not_count,
    a_mirrored_row_takes_the_label_of_the_live_one,
    rewards_count_by_their_part,
    probabilities_have_losses,
    classes_have_a_log_loss,
    classes_with_names_have_a_log_loss,
    numbers_have_errors,
    classes_agree_when_equal,
    numbers_agree_when_close_for_their_spread,
    a_request_id_that_comes_again_counts_once,
    numbers_fall_into_deciles_of_both,
    classes_are_bins_of_their_own,
    two_classes_are_compared_by_one_of_them,
    history_is_kept_once_and_newest_first,
    the_study_of_one_training_is_forgotten,
    a_login_opens_with_the_password_given_last,
    a_record_that_is_down_is_transient,
)
