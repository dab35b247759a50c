"""The labels by which an alert says what it is about.  Pure."""

import dataclasses

from fairlead_contract import series


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AlertLabels:
    """Their names: those of our own series, unless the operator is told others."""

    namespace: str = series.NAMESPACE
    model: str = series.MODEL
    version: str = series.VERSION
