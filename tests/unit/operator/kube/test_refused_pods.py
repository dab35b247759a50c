"""When pods that the cluster refused are tried again."""

from datetime import timedelta

from fairlead_operator.api.group import ANNOTATION_TRIED
from fairlead_operator.kube.refused_pods import have_pods_tried, name_try
from support.fakes import START


def test_whoever_looks_within_ten_seconds_asks_for_the_same_try() -> None:
    tries = [name_try(START + timedelta(seconds=after)) for after in (0, 4, 9.9, 10, 25)]

    assert [tries.index(moment) for moment in tries] == [0, 0, 0, 3, 4]


def test_what_else_is_noted_stays() -> None:
    manifest = {"kind": "Deployment", "metadata": {"name": "d", "annotations": {"a": "b"}}}

    tried = have_pods_tried(manifest, START)

    assert tried["metadata"]["annotations"] == {"a": "b", ANNOTATION_TRIED: START.isoformat()}
    assert manifest["metadata"]["annotations"] == {"a": "b"}
