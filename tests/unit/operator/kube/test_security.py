"""Resources of a pod: what the user asks for, over defaults that never contradict it."""

from typing import Any

import pytest

from fairlead_operator.api.common import Resources
from fairlead_operator.kube.security import resources, scratch

REQUESTS = {"cpu": "100m", "memory": "256Mi"}
LIMITS = {"memory": "1Gi"}


@pytest.mark.parametrize(
    ("asked", "requests", "limits"),
    [
        pytest.param({}, REQUESTS, LIMITS, id="nothing asked: the defaults"),
        pytest.param(
            {"requests": {"memory": "512Mi"}}, {"memory": "512Mi"}, LIMITS,
            id="a request below the default limit",
        ),
        pytest.param(
            {"requests": {"memory": "2Gi"}}, {"memory": "2Gi"}, {"memory": "2Gi"},
            id="a request above the default limit raises it",
        ),
        pytest.param(
            {"requests": {"memory": "1100M"}}, {"memory": "1100M"}, {"memory": "1100M"},
            id="units are compared by what they stand for",
        ),
        pytest.param(
            {"requests": {"memory": "1000M"}}, {"memory": "1000M"}, LIMITS,
            id="1000M is less than 1Gi",
        ),
        pytest.param(
            {"limits": {"memory": "128Mi"}}, {"memory": "128Mi"}, {"memory": "128Mi"},
            id="a limit below the default request lowers it",
        ),
        pytest.param(
            {"limits": {"cpu": "0.05"}}, {"cpu": "0.05"}, {"cpu": "0.05"},
            id="a limit of a resource that has no default limit",
        ),
        pytest.param(
            {"limits": {"cpu": "2"}}, {}, {"cpu": "2"}, id="a limit above the default request",
        ),
        pytest.param(
            {"requests": {"cpu": "8"}}, {"cpu": "8"}, {}, id="a request where nothing is limited",
        ),
        pytest.param(
            {"requests": {"memory": "2Gi"}, "limits": {"memory": "4Gi"}},
            {"memory": "2Gi"}, {"memory": "4Gi"}, id="both: as asked",
        ),
        pytest.param(
            {"requests": {"memory": "1"}, "limits": {"memory": "2Ti"}},
            {"memory": "1"}, {"memory": "2Ti"}, id="the smallest and the largest unit",
        ),
    ],
)  # fmt: skip
def test_a_default_gives_way_to_what_is_asked(
    asked: dict[str, Any], requests: dict[str, str], limits: dict[str, str]
) -> None:
    merged = resources(Resources.model_validate(asked), requests=REQUESTS, limits=LIMITS)

    assert merged == {"requests": REQUESTS | requests, "limits": LIMITS | limits}


@pytest.mark.parametrize(
    ("memory_limit", "size"),
    [
        pytest.param("1Gi", "2Gi", id="twice the memory"),
        pytest.param("4Gi", "8Gi", id="more memory: more room"),
        pytest.param("5G", "10Gi", id="in another unit, rounded up"),
        pytest.param("128Mi", "2Gi", id="a small pod: 2 GiB"),
    ],
)
def test_what_a_pod_may_write_follows_its_memory(memory_limit: str, size: str) -> None:
    assert scratch(memory_limit) == {"name": "tmp", "emptyDir": {"sizeLimit": size}}
