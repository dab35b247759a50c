"""The fakes keep the promises of the ports; the real ones are held to the same in integration."""

import pytest

from fairlead_operator.kube.store import Store
from fairlead_operator.kube.watched import WatchedKube
from support.conformance import (
    KUBE,
    PROMETHEUS,
    REGISTRY,
    KubeCheck,
    PrometheusCheck,
    Queries,
    RegistryCheck,
)
from support.fake_record import FakeRecord, Feedback, Prediction
from support.fakes import Clock, FakeKube, FakePrometheus, FakeRegistry
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
        self.port.register(registered_model, version, digest=digest or "")
        return self.port.versions[registered_model, version].registry_version

    async def report(self, run_id: str, document: str) -> None:
        self.port.progress_of[run_id] = document

    async def outcome(self, run_id: str) -> bool | None:
        return self.port.finished.get(run_id)

    async def go_down(self) -> None:
        self.port.down = True


@pytest.mark.parametrize("check", REGISTRY, ids=lambda check: check.__name__)
async def test_registry(check: RegistryCheck) -> None:
    await check(Registry(), "nsw-price")


class Prometheus:
    """``support.conformance.PrometheusDesk`` on the fake, which tells queries by their words."""

    queries = Queries(
        busy={
            "success-rate": 'x{envoy_response_code=~"5.."}',
            "latency": "histogram_quantile(0.95, x)",
            "requests": "sum(envoy_cluster_upstream_rq_completed)",
        },
        silent={
            "success-rate": 'x{envoy_response_code=~"5.."}',
            "latency": "histogram_quantile(0.95, x)",
            "requests": "sum(envoy_cluster_upstream_rq_completed)",
            "own": "sum(x)",
        },
    )

    def __init__(self) -> None:
        self.port = FakePrometheus()
        self.port.healthy()

    async def forget(self) -> None:
        self.port = FakePrometheus()

    async def refuse(self) -> str:
        self.port.refusal = "prometheus refuses the query: parse error"
        return "sum("

    async def go_down(self) -> None:
        self.port.down = True


@pytest.mark.parametrize("check", PROMETHEUS, ids=lambda check: check.__name__)
async def test_prometheus(check: PrometheusCheck) -> None:
    await check(Prometheus())


class Record:
    """``support.conformance.RecordDesk`` on the fake."""

    def __init__(self) -> None:
        self.port = FakeRecord(Clock())

    async def write(self, *rows: Prediction | Feedback) -> None:
        self.port.predictions += [row for row in rows if isinstance(row, Prediction)]
        self.port.feedback += [row for row in rows if isinstance(row, Feedback)]

    async def go_down(self) -> None:
        self.port.down = True


@pytest.mark.parametrize("check", RECORD, ids=lambda check: check.__name__)
async def test_record(check: RecordCheck) -> None:
    await check(Record(), "nsw-price")
