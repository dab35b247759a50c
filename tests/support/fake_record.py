"""The record as lists of rows; passes the same conformance suite as PostgreSQL's."""

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from fairlead_contract.search import study_name_bounds
from fairlead_operator.api.builtins import Loss
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.errors import LoginNotAllowedError, TransientError
from fairlead_operator.ports import Limits, Moments, Rating, Subject, Tally

_LAG = timedelta(minutes=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One row that a version answered."""

    namespace: str = "energy"
    model: str = "nsw-price"
    version: str
    at: datetime
    prediction_id: str
    row_index: int = 0
    request_id: str | None = None
    mirrored: bool = False
    value: float | None = None
    class_: str | None = None
    probabilities: tuple[float, ...] | None = None
    classes: tuple[str, ...] | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.prediction_id, self.row_index


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What became of one row."""

    namespace: str = "energy"
    model: str = "nsw-price"
    prediction_id: str
    row_index: int = 0
    label: float | str | None = None
    reward: float | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.prediction_id, self.row_index

    @property
    def label_class(self) -> str | None:
        return f"{self.label:g}" if isinstance(self.label, float | int) else self.label


class FakeRecord:
    """``ports.Record``.

    Tests fill ``predictions`` and ``feedback``, or say outright what a version's numbers are.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.predictions: list[Prediction] = []
        self.feedback: list[Feedback] = []
        self.entries: dict[tuple[str, str], HistoryEntry] = {}
        self.ratings: dict[tuple[Rating, str], Tally] = {}
        self.losses_of: dict[tuple[Loss, str], Moments] = {}
        self.agreements: dict[str, Tally] = {}
        self.counts: dict[str, tuple[Sequence[int], Sequence[int]]] = {}
        self.asked: list[Subject] = []
        self.studies: set[str] = set()  # by name
        self.logins: dict[str, tuple[str, Limits]] = {}  # password and limits, by namespace
        self.provided = 0  # how often a login was asked for
        self.refuses_logins = ""  # why, in PostgreSQL's words
        self.down = False
        self._clock = clock

    def predict(self, version: str, *, correct: int = 0, wrong: int = 0) -> None:
        """Write a binary classifier's answers now, and their labels."""
        for at in range(correct + wrong):
            name = f"{version}/{len(self.predictions)}"
            self.predictions.append(
                Prediction(
                    version=version, at=self._clock(), prediction_id=name, value=0.9, class_="1"
                )
            )
            self.feedback.append(Feedback(prediction_id=name, label=1 if at < correct else 0))

    async def tally(self, rating: Rating, subject: Subject) -> Tally:
        self._ask(subject)
        if (rating, subject.version) in self.ratings:
            return self.ratings[rating, subject.version]
        rated: Sequence[float]
        if rating == "reward":
            given = {(_model(item), item.key): item.reward for item in self.feedback}
            of_rows = (given.get((_model(row), row.key)) for row in self._rows(subject))
            rated = [reward for reward in of_rows if reward is not None]
        else:
            rated = [
                row.class_ == feedback.label_class
                for row, feedback in self._labelled(subject)
                if row.class_ is not None
            ]
        return Tally(successes=float(sum(rated)), trials=len(rated))

    async def losses(self, loss: Loss, subject: Subject) -> Moments:
        self._ask(subject)
        if (loss, subject.version) in self.losses_of:
            return self.losses_of[loss, subject.version]
        found = [_loss(loss, row, feedback) for row, feedback in self._labelled(subject)]
        known = [value for value in found if value is not None]
        return Moments(count=len(known), total=sum(known), squares=sum(value**2 for value in known))

    async def agreement(self, candidate: Subject, stable: str) -> Tally:
        self._ask(candidate)
        if candidate.version in self.agreements:
            return self.agreements[candidate.version]
        theirs = _by_request(self._rows(_earlier(candidate), stable))
        ours = _by_request(self._rows(candidate))
        pairs = [(row, theirs[key]) for key, row in ours.items() if key in theirs]
        values = [their.value for _, their in pairs if their.value is not None]
        spread = statistics.pstdev(values) if values else 0.0
        agreed = sum(
            abs((our.value or 0.0) - (their.value or 0.0)) <= 0.1 * spread
            if our.class_ is None
            else our.class_ == their.class_
            for our, their in pairs
        )
        return Tally(successes=float(agreed), trials=len(pairs))

    async def distributions(
        self, candidate: Subject, stable: str
    ) -> tuple[Sequence[int], Sequence[int]]:
        self._ask(candidate)
        if candidate.version in self.counts:
            return self.counts[candidate.version]
        ours = [_turned(row) for row in self._rows(candidate)]
        theirs = [_turned(row) for row in self._rows(candidate, stable)]
        if not ours or not theirs:
            return (), ()
        values = sorted(row.value for row in ours + theirs if row.value is not None)
        bounds = [
            values[math.ceil(tenth * len(values) / 10) - 1] for tenth in range(1, 10) if values
        ]
        ours_in, theirs_in = (Counter(_bin(row, bounds) for row in rows) for rows in (ours, theirs))
        bins = sorted(ours_in.keys() | theirs_in.keys())
        return tuple(ours_in[name] for name in bins), tuple(theirs_in[name] for name in bins)

    async def add_history(self, entry: HistoryEntry) -> None:
        self._maybe_fail()
        self.entries.setdefault((entry.rollout_uid, entry.transition), entry)

    async def history(self, namespace: str, model: str, limit: int) -> Sequence[HistoryEntry]:
        self._maybe_fail()
        found = [
            entry
            for entry in self.entries.values()
            if (entry.namespace, entry.model) == (namespace, model)
        ]
        found.sort(key=lambda entry: entry.transition)
        return sorted(found, key=lambda entry: entry.at, reverse=True)[:limit]

    async def forget_study(self, namespace: str, uid: str) -> None:
        self._maybe_fail()
        start, end = study_name_bounds(namespace, uid)
        self.studies -= {
            name for name in self.studies if name.startswith(start) and name.endswith(end)
        }

    async def provide_login(self, namespace: str, password: str, *, limits: Limits) -> None:
        self._maybe_fail()
        self._maybe_refuse()
        self.provided += 1
        self.logins[namespace] = (password, limits)

    async def remove_login(self, namespace: str) -> None:
        self._maybe_fail()
        self._maybe_refuse()
        if self.logins.pop(namespace, None) is not None:
            self.studies -= {name for name in self.studies if name.startswith(f"{namespace}/")}

    async def tenants(self) -> Sequence[str]:
        self._maybe_fail()
        return sorted(self.logins)

    def _rows(self, subject: Subject, version: str | None = None) -> Iterator[Prediction]:
        for row in self._of_model(subject):
            if row.version == (version or subject.version):
                yield row

    def _of_model(self, subject: Subject) -> Iterator[Prediction]:
        for row in self.predictions:
            if _model(row) == (subject.namespace, subject.model) and row.at >= subject.since:
                yield row

    def _labelled(self, subject: Subject) -> Iterator[tuple[Prediction, Feedback]]:
        labels = {
            item.key: item
            for item in self.feedback
            if _model(item) == (subject.namespace, subject.model) and item.label is not None
        }
        live: dict[tuple[str | None, int], list[tuple[str, int]]] = {}
        for row in self._of_model(_earlier(subject)):
            if not row.mirrored and row.request_id is not None:
                live.setdefault((row.request_id, row.row_index), []).append(row.key)
        for row in self._rows(subject):
            keys = live.get((row.request_id, row.row_index), []) if row.mirrored else [row.key]
            yield from ((row, labels[key]) for key in keys if key in labels)

    def _ask(self, subject: Subject) -> None:
        self._maybe_fail()
        self.asked.append(subject)

    def _maybe_refuse(self) -> None:
        if self.refuses_logins:
            raise LoginNotAllowedError(f"record database: {self.refuses_logins}")

    def _maybe_fail(self) -> None:
        if self.down:
            raise TransientError("record database: is away")


def _model(item: Prediction | Feedback) -> tuple[str, str]:
    return item.namespace, item.model


def _earlier(subject: Subject) -> Subject:
    return dataclasses.replace(subject, since=subject.since - _LAG)


def _by_request(rows: Iterator[Prediction]) -> dict[tuple[str, int], Prediction]:
    found: dict[tuple[str, int], Prediction] = {}
    for row in sorted(rows, key=lambda row: row.at):
        if row.request_id is not None:
            found.setdefault((row.request_id, row.row_index), row)
    return found


def _loss(loss: Loss, row: Prediction, feedback: Feedback) -> float | None:
    if loss == "log-loss":
        probability = _probability(row, feedback)
        return None if probability is None else -math.log(max(1e-15, probability))
    if row.value is None or not isinstance(feedback.label, float | int):
        return None
    gap = abs(feedback.label - row.value)
    return gap if loss == "absolute" else gap**2


def _probability(row: Prediction, feedback: Feedback) -> float | None:
    label = feedback.label
    if row.classes is not None:
        shares = row.probabilities or (None if row.value is None else (1 - row.value, row.value))
        known = dict(zip(row.classes, shares, strict=True)) if shares else None
        return known and known.get(feedback.label_class or "", 0.0)
    if row.probabilities is not None:
        known = isinstance(label, float | int) and 0 <= label < len(row.probabilities)
        return row.probabilities[int(label)] if known else 0.0  # type: ignore[arg-type]
    if row.class_ is None or row.value is None:
        return None
    return {"1": row.value, "0": 1 - row.value}.get(feedback.label_class or "", 0.0)


def _turned(row: Prediction) -> Prediction:
    """Give the probability of that class of two whose name is the later."""
    if row.value is None or row.classes is None or row.classes[0] <= row.classes[1]:
        return row
    return dataclasses.replace(row, value=1 - row.value)


def _bin(row: Prediction, bounds: Sequence[float]) -> str:
    if row.value is None:
        return row.class_ or ""
    return str(sum(bound <= row.value for bound in bounds))
