"""Names: always valid, never the same for different things."""

import re

from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.kube.metadata import Owner, child_name, component_labels, version_name

DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
MODELS = st.from_regex(r"\A[a-z]([-a-z0-9]{0,38}[a-z0-9])?\Z")
NUMBERS = st.integers(0, 10**9)
VERSIONS = st.builds("{}.{}.{}".format, NUMBERS, NUMBERS, NUMBERS)


@given(MODELS, VERSIONS)
def test_a_version_s_name_is_a_dns_label(model: str, version: str) -> None:
    assert DNS_LABEL.match(version_name(model, version))


@given(st.lists(st.from_regex(r"\A[a-z0-9]{1,60}\Z"), min_size=1, max_size=4))
def test_a_long_name_is_cut_and_valid(parts: list[str]) -> None:
    assert DNS_LABEL.match(child_name(*parts))


@given(MODELS, VERSIONS, VERSIONS)
def test_two_versions_have_two_names(model: str, one: str, other: str) -> None:
    assert (version_name(model, one) == version_name(model, other)) == (one == other)


def test_names_that_begin_alike_differ_when_they_are_cut() -> None:
    start = "a" * 80

    assert child_name(start, "1") != child_name(start, "2")
    assert child_name("nsw-price", "1.0.0") == "nsw-price-1-0-0"


def test_labels_name_only_what_is_given() -> None:
    assert component_labels("gateway") == {
        "app.kubernetes.io/managed-by": "fairlead",
        "fairlead.dev/component": "gateway",
    }
    labels = component_labels("server", "nsw-price", "1.0.0")
    assert labels["fairlead.dev/model"] == "nsw-price"
    assert labels["fairlead.dev/version"] == "1.0.0"


def test_a_child_names_its_owner() -> None:
    body = {"kind": "Model", "metadata": {"name": "m", "namespace": "n", "uid": "u"}}

    metadata = Owner.of(body).metadata("child", {"l": "1"})

    assert metadata["namespace"] == "n"
    assert (
        metadata["ownerReferences"][0] | {"uid": "u", "controller": True}
        == (metadata["ownerReferences"][0])
    )
