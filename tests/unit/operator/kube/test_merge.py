"""The merge patch: applied, it gives the new document, and nothing less would."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.kube.merge import difference
from support.fakes import _merge

KEYS = st.sampled_from(["a", "b", "c", "d"])
LEAVES = st.one_of(st.integers(0, 3), st.booleans(), st.text(max_size=2), st.just([1]))
# A null in a document cannot be told from a removal, and no status holds one.
DOCUMENTS = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=3),
    lambda inner: st.dictionaries(KEYS, st.one_of(LEAVES, inner), max_size=3),
    max_leaves=12,
)
Document = dict[str, Any]


@given(DOCUMENTS, DOCUMENTS)
def test_applying_the_difference_gives_the_new_document(old: Document, new: Document) -> None:
    patch = difference(old, new)
    _merge(old, patch)

    assert old == new


@given(DOCUMENTS)
def test_no_difference_is_no_patch(document: Document) -> None:
    assert difference(document, document) == {}


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_holds_what_differs_only(old: Document, new: Document) -> None:
    patch = difference(old, new)

    assert all(key not in new or old.get(key) != new[key] or key not in old for key in patch)


def test_an_empty_object_differs_from_none() -> None:
    assert difference({}, {"a": {}}) == {"a": {}}
    assert difference({"a": {"b": 1}}, {"a": {}}) == {"a": {"b": None}}
