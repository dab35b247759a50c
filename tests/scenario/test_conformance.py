"""The fakes keep the promises of the ports; the real ones are held to the same in integration."""

from collections.abc import Collection
from datetime import timedelta

import pytest

from fairlead_operator.artifact_code import find_code, find_form
from fairlead_operator.kube.store import Store
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.prometheus import counting
from fairlead_operator.rollout.evidence import queries
from fairlead_operator.signature import read_signature
from support.conformance import (
    KUBE,
    PROMETHEUS,
    REGISTRY,
    KubeCheck,
    PrometheusCheck,
    Queries,
    RegistryCheck,
)
from support.fake_prometheus import FakePrometheus
from support.fake_record import FakeRecord, Feedback, Prediction
from support.fakes import START, Clock, FakeKube, FakeRegistry
from support.record_conformance import RECORD, RecordCheck


@pytest.mark.parametrize("check", KUBE, ids=lambda check: check.__name__)
async def test_kube(check: KubeCheck) -> None:
    await check(FakeKube(Clock()), "energy")


@pytest.mark.parametrize("check", KUBE, ids=lambda check: check.__name__)
async def test_kube_through_the_store(check: KubeCheck) -> None:
    await check(WatchedKube(FakeKube(Clock()), Store()), "energy")


class Registry:
    """``support.conformance.RegistryDesk`` on the fake."""

    def __init__(self) -> None:
        self.port = FakeRegistry()

    async def register(self, registered_model: str, version: str, digest: str | None) -> str:
        if (registered_model, version) in self.port.versions:
            return self.port.forge(registered_model, version, digest=digest or "")
        self.port.register(registered_model, version, digest=digest or "")
        self.port.unreadable.add(version)
        return self.port.versions[registered_model, version].registry_version

    async def log(self, registered_model: str, number: str, mlmodel: str) -> None:
        for (name, version), found in self.port.versions.items():
            if (name, found.registry_version) == (registered_model, number):
                self.port.unreadable.discard(version)
                self.port.signatures[version] = read_signature(mlmodel)
                self.port.code_of[version] = find_code(mlmodel)
                self.port.form_of[version] = find_form(mlmodel)

    async def report(self, run_id: str, document: str) -> None:
        self.port.progress_of[run_id] = document

    async def outcome(self, run_id: str) -> str | None:
        return self.port.ended.get(run_id)

    async def begin_elsewhere(self, experiment: str, key: str) -> str:
        run_id = await self.port.start_run(experiment=experiment, name="run", key=key, now=START)
        self.port.others.add(run_id)
        return run_id

    async def go_down(self) -> None:
        self.port.down = True


@pytest.mark.parametrize("check", REGISTRY, ids=lambda check: check.__name__)
async def test_registry(check: RegistryCheck) -> None:
    await check(Registry(), "nsw-price")


TARGET = counting.Target(namespace="energy", model="nsw-price", version="1.1.0")
SPAN = counting.Span(length=timedelta(seconds=30))
BUILT = {
    "success-rate": queries.success_rate(TARGET, SPAN),
    "latency": queries.latency(0.95, TARGET, SPAN),
    "requests": counting.requests(TARGET, SPAN),
}


class Prometheus:
    """``support.conformance.PrometheusDesk`` on the fake."""

    queries = Queries(busy=BUILT, silent=BUILT | {"own": "sum(absent)"})

    def __init__(self) -> None:
        self.port = FakePrometheus()
        self.port.healthy()

    async def forget(self) -> None:
        self.port = FakePrometheus()
        self.port.own["sum(absent)"] = None

    async def refuse(self) -> str:
        self.port.refusal = "Prometheus refused the query: parse error"
        self.port.mistakes["absent("] = "parse error"
        return "absent("

    async def go_down(self) -> None:
        self.port.down = True


@pytest.mark.parametrize("check", PROMETHEUS, ids=lambda check: check.__name__)
async def test_prometheus(check: PrometheusCheck) -> None:
    await check(Prometheus())


@pytest.mark.parametrize(
    "promql",
    [
        pytest.param("sum(up)", id="a user's query of which it was not told"),
        pytest.param(f"1 - {BUILT['success-rate']}", id="a known question and more"),
        pytest.param(BUILT["requests"].replace("completed", "total"), id="another series"),
        pytest.param(BUILT["requests"].replace('role=""', 'role="x"'), id="another label"),
        pytest.param(BUILT["latency"].replace("0.95", "0.9"), id="another quantile"),
        pytest.param(BUILT["requests"].replace('"1.1.0"', '""'), id="of no version"),
    ],
)
async def test_a_prometheus_that_was_not_told_fails_the_test(promql: str) -> None:
    port = Prometheus().port

    with pytest.raises(AssertionError, match="nobody told"):
        await port.query(promql)


COUNTED = queries.success_counts({"v": (TARGET, SPAN)}).promql


@pytest.mark.parametrize(
    ("promql", "label"),
    [
        pytest.param(COUNTED, "version", id="by another label"),
        pytest.param(COUNTED.replace("v-bad", "v-good"), counting.COUNT, id="bad ones as good"),
        pytest.param(f"{COUNTED} or up", counting.COUNT, id="and more"),
        pytest.param("up", counting.COUNT, id="nothing that counts"),
    ],
)
async def test_a_prometheus_that_cannot_count_fails_the_test(promql: str, label: str) -> None:
    port = Prometheus().port

    with pytest.raises(AssertionError, match="nobody told"):
        await port.query_by(promql, label)


async def test_a_prometheus_answers_only_the_counts_that_are_asked_for() -> None:
    port = Prometheus().port
    port.counts = {"v-total": 10.0, "v-bad": 1.0, "v-good": 8.0, "w-total": 20.0}

    assert await port.query_by(COUNTED, counting.COUNT) == {"v-total": 10.0, "v-bad": 1.0}


class Record:
    """``support.conformance.RecordDesk`` on the fake."""

    def __init__(self) -> None:
        self.port = FakeRecord(Clock())

    async def write(self, *rows: Prediction | Feedback) -> None:
        self.port.predictions += [row for row in rows if isinstance(row, Prediction)]
        self.port.feedback += [row for row in rows if isinstance(row, Feedback)]

    async def search(self, study: str) -> None:
        self.port.studies.add(study)

    async def studies(self) -> Collection[str]:
        return self.port.studies

    async def opens(self, namespace: str, password: str) -> bool:
        return self.port.logins.get(namespace, ("",))[0] == password

    async def go_down(self) -> None:
        self.port.down = True


@pytest.mark.parametrize("check", RECORD, ids=lambda check: check.__name__)
async def test_record(check: RecordCheck) -> None:
    await check(Record(), "nsw-price")
