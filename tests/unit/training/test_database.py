"""URL, lock keys and errors of the study database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_training.database import driver_url, lock_key
from fairlead_training.failure import TrainingFailure


def test_the_database_url_names_the_driver_and_no_secret() -> None:
    assert driver_url("postgresql://u:p@db/x") == "postgresql+psycopg://u:p@db/x"
    with pytest.raises(TrainingFailure) as caught:
        driver_url("mysql://u:hush@db/x")
    assert "hush" not in caught.value.message


@given(st.text())
def test_a_lock_key_fits_postgresql(name: str) -> None:
    assert -(2**63) <= lock_key(name) < 2**63
