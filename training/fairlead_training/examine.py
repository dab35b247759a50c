"""All that is wrong with the rows, found in one look.  Pure.

What is wrong with columns does not hide that the rows cannot be split.
"""

import dataclasses

import pandas as pd

from fairlead_training.columns import Fault
from fairlead_training.config import TrainingConfig
from fairlead_training.data import FindSuspicious, Table, read_rows, tell_faults
from fairlead_training.failure import TrainingFailure
from fairlead_training.split import Split, split


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found out about the rows."""

    table: Table | None  # all that can be read; None where no table can be made of the rows
    parts: Split | None  # of the table
    failure: TrainingFailure | None  # all that is wrong, with a detail for each

    def usable(self) -> tuple[Table, Split]:
        """Return the rows, and how they are split.

        Raises:
            TrainingFailure: something is wrong.
        """
        if self.failure is not None:
            raise self.failure
        assert self.table is not None  # noqa: S101  or there was a failure
        assert self.parts is not None  # noqa: S101  as above
        return self.table, self.parts


def examine(
    frame: pd.DataFrame,
    config: TrainingConfig,
    *,
    refused_in_names: str,
    find_suspicious: FindSuspicious | None = None,
) -> Examination:
    """Check the rows, and whether they can be split.

    Args:
        refused_in_names: characters that the learner allows in no feature's name.
        find_suspicious: finds what is refused besides, if anything is.
    """
    try:
        table, faults = read_rows(
            frame, config, refused_in_names=refused_in_names, find_suspicious=find_suspicious
        )
    except TrainingFailure as failure:
        return Examination(table=None, parts=None, failure=failure)
    parts = None
    if table is not None and len(table):
        try:
            parts = split(table, config.validation)
        except TrainingFailure as failure:
            if not faults:
                return Examination(table=table, parts=None, failure=failure)
            faults = [*faults, Fault(reason=failure.reason, text=failure.message, advises=True)]
    whole = tell_faults(faults) if faults else None
    return Examination(table=table, parts=parts, failure=whole)
