"""The end of a gateway pod."""

import dataclasses
import urllib.error

import pytest

from fairlead_serving.gateway import drain as command
from fairlead_serving.gateway.drain import drain, parse_active


@dataclasses.dataclass(slots=True)
class Admin:
    """Envoy's admin interface, with so many requests in flight at each question."""

    active: list[int | None]  # None: Envoy is gone
    seconds: float = 0.0
    calls: list[str] = dataclasses.field(default_factory=list)

    def call(self, url: str, *, method: str = "GET") -> str:
        self.calls.append(f"{method} {url}")
        if method == "POST":
            return "OK\n"
        active = self.active.pop(0) if len(self.active) > 1 else self.active[0]
        if active is None:
            raise urllib.error.URLError("connection refused")
        return f"http.gw.downstream_rq_active: {active}\n"

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("active", "finished", "seconds"),
    [
        pytest.param([0], True, 5.0, id="idle: the grace and no more"),
        pytest.param([3, 1, 0], True, 5.4, id="busy: until nothing is in flight"),
        pytest.param([1], False, 25.0, id="stuck: until the deadline"),
        pytest.param([None], True, 5.0, id="gone: nothing to wait for"),
    ],
)
def test_drain(
    active: list[int | None], seconds: float, monkeypatch: pytest.MonkeyPatch, *, finished: bool
) -> None:
    admin = Admin(active)
    monkeypatch.setattr(command, "_call", admin.call)

    result = drain("http://admin", grace=5.0, deadline=25.0, now=admin.now, sleep=admin.sleep)

    assert result is finished
    assert admin.seconds == pytest.approx(seconds, abs=0.25)
    assert admin.calls[0] == "POST http://admin/drain_listeners?graceful&skip_exit"


@pytest.mark.parametrize(("finished", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_it_finished(
    code: int, monkeypatch: pytest.MonkeyPatch, *, finished: bool
) -> None:
    monkeypatch.setattr(command, "drain", lambda *_, **__: finished)

    assert command.main(["--grace", "0", "--deadline", "1"]) == code


def test_no_statistic_is_no_request() -> None:
    assert parse_active("other: 3\n") == 0
