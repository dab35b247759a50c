"""Names in PostgreSQL fit, and are no other namespace's."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.search import SCHEMA, memory_name, search_schema, study_name_bounds
from fairlead_operator.record.tenants import login_name

NAMESPACES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


def test_names_say_whose_they_are() -> None:
    """They are of data that is there: another name would be another login, without its searches."""
    assert login_name("energy") == "fairlead_energy_381cfb6e1e"
    assert search_schema("energy") == "fairlead_search_energy_381cfb6e1e"


@given(NAMESPACES)
def test_names_are_not_cut_by_postgresql(namespace: str) -> None:
    assert all(len(name(namespace)) <= 63 for name in (login_name, search_schema))


@given(NAMESPACES, NAMESPACES)
def test_no_two_namespaces_share_a_name(one: str, other: str) -> None:
    for name in (login_name, search_schema):
        assert (name(one) == name(other)) == (one == other)
        assert name(one) not in {SCHEMA, "fairlead", "fairlead_record"}


def test_long_namespaces_that_differ_at_the_end_have_different_names() -> None:
    one, other = "a" * 62 + "b", "a" * 62 + "c"

    assert login_name(one) != login_name(other)
    assert search_schema(one) != search_schema(other)


def test_what_a_model_remembers_goes_with_no_training() -> None:
    start, end = study_name_bounds("energy", "0b8f3c1e-9a54-4f0e-8f4e-6a9f6c2f6f10")

    name = memory_name("energy", "nsw-price")
    assert name.startswith(start)
    assert not name.endswith(end)
