"""What is said of queries that can never be answered, and what is not."""

import pytest

from fairlead_operator.api.promql import Written
from fairlead_operator.prometheus.mistakes import find_mistakes
from support.fake_prometheus import FakePrometheus

GOOD = Written(place="analysis.checks, query of good", text="sum(x)", decides=True)
OPEN = Written(place="analysis.checks, query of open", text="sum({{version}}", decides=True)
SHOP = Written(place="bandit.goal.total", text='x{s="{{arguments.shop}}"}', decides=True)

REFUSED = "analysis.checks, query of open: Prometheus refuses it: parse error"
NAMELESS = "bandit.goal.total: only an AnalysisTemplate has arguments; write the value instead"


@pytest.mark.parametrize(
    ("queries", "down", "said"),
    [
        pytest.param((), False, "", id="none"),
        pytest.param((GOOD,), False, "", id="one that can be answered"),
        pytest.param((GOOD, OPEN), False, REFUSED, id="one that cannot"),
        pytest.param((OPEN, SHOP), False, f"{REFUSED}; {NAMELESS}", id="each is named"),
        pytest.param((OPEN,), True, None, id="Prometheus is away: not known"),
    ],
)
async def test_find_mistakes(queries: tuple[Written, ...], down: bool, said: str | None) -> None:
    prometheus = FakePrometheus()
    prometheus.mistakes["sum(1.1.0"] = "parse error"
    prometheus.down = down

    def fill(text: str) -> str:
        return text.replace("{{version}}", "1.1.0")

    assert await find_mistakes(queries, fill, prometheus) == said
