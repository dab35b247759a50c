"""What autoscalers say when they cannot scale, in the words of HPA and KEDA."""

from typing import Any

import pytest

from fairlead_operator.kube.scalers import find_limited, find_stopped, keep_troubles

NO_REQUEST = "failed to get cpu utilization: missing request for cpu in container istio-proxy"
NO_SCALER = "error establishing a connection to http://prometheus:9090"


def scaler(*conditions: tuple[str, str, str, str], kind: str = "HorizontalPodAutoscaler") -> Any:
    names = ("type", "status", "reason", "message")
    told = [
        dict(zip(names, each, strict=True)) | {"lastTransitionTime": "2026-01-01T00:00:00Z"}
        for each in conditions
    ]
    status = {"conditions": told, "currentReplicas": 3}
    return {"kind": kind, "metadata": {"name": "nsw-price-1-0-0"}, "status": status}


HEALTHY = scaler(
    ("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
    ("ScalingActive", "True", "ValidMetricFound", "the HPA was able to calculate a count"),
    ("ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the range"),
)
BLIND = scaler(
    ("AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get it"),
    ("ScalingActive", "False", "FailedGetResourceMetric", NO_REQUEST),
)
UNABLE = scaler(("AbleToScale", "False", "FailedGetScale", "deployments/scale is forbidden"))
TINY = scaler(("ScalingLimited", "True", "TooFewReplicas", "it is less than the minimum"))
FULL = scaler(("ScalingLimited", "True", "TooManyReplicas", "it is more than the maximum"))
KEDA_WELL = scaler(
    ("Ready", "True", "ScaledObjectReady", "it is defined correctly and is ready for scaling"),
    ("Active", "False", "ScalerNotActive", "no triggers are active"),
    ("Fallback", "False", "NoFallbackFound", "no fallbacks are active"),
    ("Paused", "False", "ScaledObjectUnpaused", "pause annotation removed"),
    kind="ScaledObject",
)
KEDA_BROKEN = scaler(
    ("Ready", "False", "TriggerError", NO_SCALER), ("Paused", "Unknown", "", ""),
    kind="ScaledObject",
)  # fmt: skip
KEDA_PAUSED = scaler(("Paused", "True", "ScaledObjectPaused", "paused"), kind="ScaledObject")
KEDA_FALLBACK = scaler(("Fallback", "True", "FallbackExists", "failing"), kind="ScaledObject")
UNSEEN: Any = {"kind": "ScaledObject", "metadata": {"name": "s"}}


@pytest.mark.parametrize(
    ("scalers", "words"),
    [
        pytest.param([], None, id="none"),
        pytest.param([UNSEEN], None, id="nobody has looked at it yet"),
        pytest.param([HEALTHY, KEDA_WELL], None, id="all is well"),
        pytest.param([TINY, FULL], None, id="at its bounds it scales"),
        pytest.param(
            [HEALTHY, BLIND],
            "HorizontalPodAutoscaler nsw-price-1-0-0: ScalingActive is False: "
            f"FailedGetResourceMetric: {NO_REQUEST}",
            id="no metric, as with KEDA's own autoscaler",
        ),
        pytest.param(
            [UNABLE],
            "HorizontalPodAutoscaler nsw-price-1-0-0: AbleToScale is False: FailedGetScale: "
            "deployments/scale is forbidden",
            id="no right to scale",
        ),
        pytest.param(
            [KEDA_BROKEN],
            f"ScaledObject nsw-price-1-0-0: Ready is False: TriggerError: {NO_SCALER}",
            id="KEDA: no trigger",
        ),
        pytest.param(
            [KEDA_PAUSED],
            "ScaledObject nsw-price-1-0-0: Paused is True: ScaledObjectPaused: paused",
            id="KEDA: paused by a person",
        ),
        pytest.param(
            [KEDA_FALLBACK],
            "ScaledObject nsw-price-1-0-0: Fallback is True: FallbackExists: failing",
            id="KEDA: a number in place of the load",
        ),
    ],
)
def test_why_nothing_scales(scalers: list[Any], words: str | None) -> None:
    assert find_stopped(scalers) == words


def test_words_without_end_are_cut() -> None:
    long = scaler(("ScalingActive", "False", "FailedGetResourceMetric", "x" * 3000))

    assert len(find_stopped([long]) or "") == 500


@pytest.mark.parametrize(
    ("scaler", "is_limited"),
    [
        pytest.param(HEALTHY, False, id="within its bounds"),
        pytest.param(TINY, False, id="at the fewest: it is quiet"),
        pytest.param(FULL, True, id="at the most"),
    ],
)
def test_whether_more_pods_would_be_needed(scaler: Any, is_limited: bool) -> None:
    assert (find_limited([scaler]) is not None) is is_limited


@pytest.mark.parametrize(
    ("scaler", "kept"),
    [
        pytest.param(HEALTHY, [], id="nothing of a healthy one"),
        pytest.param(TINY, [], id="nothing of a quiet one"),
        pytest.param(
            BLIND,
            [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric",
              "message": NO_REQUEST}],
            id="the trouble, without its moment",
        ),
    ],
)  # fmt: skip
def test_what_is_kept_of_a_status(scaler: Any, kept: list[dict[str, str]]) -> None:
    assert keep_troubles(scaler) == kept
