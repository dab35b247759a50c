"""Gates that a trainer measures and the operator judges, by the names that both use."""

from enum import StrEnum


class Gate(StrEnum):
    """What a version must pass beside the comparison with the champion."""

    BASELINE = "baseline"  # better than always giving the same answer
    SLICES = "slices"  # not worse than the champion in any part of the rows
    METRICS = "metrics"  # nor in another metric than that of the search
    DEMOGRAPHIC_PARITY = "demographicParity"  # groups are as often told to be positive
    EQUALIZED_ODDS = "equalizedOdds"  # and so are those that are, and those that are not
    CALIBRATION = "calibration"  # probabilities are how often it is right
