"""SQL over the record.  Pure text; ``record.client`` runs it.

Every query of the record reads the rows of one Model since a moment, which the index
``predictions_of_model`` holds together, whatever their version.
"""

from collections.abc import Mapping
from typing import Final

from fairlead_contract.record import FEEDBACK, PREDICTIONS, SCHEMA
from fairlead_operator.api.builtins import Loss

# A server that shadows another answers, and so is written, a little earlier or later.
_LAG: Final = "interval '1 minute'"

_OF_MODEL: Final = "namespace = %(namespace)s AND model = %(model)s"
_OURS: Final = f"{_OF_MODEL} AND version = %(version)s AND at >= %(since)s"

# When the latest ``most`` rows begin.  Asked first, so that the queries below are planned with
# the moment in hand, and end in time however many rows there are.
START: Final = f"""
SELECT coalesce(
    (SELECT at FROM {PREDICTIONS} WHERE {_OF_MODEL} AND at >= %(since)s
     ORDER BY at DESC OFFSET %(most)s LIMIT 1),
    %(since)s::timestamptz)
"""

# The version's rows, each under the prediction id that its label comes with.
_LABELLED: Final = f"""
WITH ours AS (
    SELECT * FROM {PREDICTIONS} WHERE {_OURS}
), named AS (
    SELECT prediction_id, row_index, value, class, probabilities, classes
    FROM ours WHERE NOT mirrored
    UNION ALL
    SELECT live.prediction_id, row_index, ours.value, ours.class, ours.probabilities,
           ours.classes
    FROM ours
    JOIN (
        SELECT prediction_id, request_id, row_index FROM {PREDICTIONS}
        WHERE {_OF_MODEL} AND NOT mirrored AND at >= %(since)s::timestamptz - {_LAG}
    ) AS live USING (request_id, row_index)
    WHERE ours.mirrored
), labelled AS (
    SELECT value, class, probabilities, classes, label_value, label_class,
           coalesce(label_at, at) AS given_at
    FROM named
    JOIN {FEEDBACK} USING (prediction_id, row_index)
    WHERE {_OF_MODEL} AND label_class IS NOT NULL
)
"""

ACCURACY: Final = f"""
{_LABELLED}
SELECT count(*) FILTER (WHERE class = label_class), count(*), max(given_at)
FROM labelled WHERE class IS NOT NULL
"""

# A label that is no class of the model had the probability 0.
_PROBABILITY: Final = """
CASE WHEN classes IS NOT NULL AND probabilities IS NOT NULL THEN coalesce(
         probabilities[array_position(classes, label_class)], 0)
     WHEN classes IS NOT NULL AND value IS NOT NULL THEN
         CASE label_class WHEN classes[2] THEN value WHEN classes[1] THEN 1 - value ELSE 0 END
     WHEN probabilities IS NOT NULL THEN coalesce(
         CASE WHEN label_value BETWEEN 0 AND cardinality(probabilities) - 1
              THEN probabilities[label_value::integer + 1] END, 0)
     WHEN class IS NOT NULL AND value IS NOT NULL THEN
         CASE label_class WHEN '1' THEN value WHEN '0' THEN 1 - value ELSE 0 END
END
"""
_LOSSES: Final[Mapping[Loss, str]] = {
    "absolute": "abs(label_value - value)",
    "squared": "(label_value - value) ^ 2",
    "log-loss": f"CASE WHEN {_PROBABILITY} IS NOT NULL THEN"
    f" -ln(greatest(1e-15::float8, least(1, {_PROBABILITY}))) END",
}


def losses(loss: Loss) -> str:
    """Count, sum and sum of squares of the losses that are known."""
    return f"""
{_LABELLED}
SELECT count(loss), coalesce(sum(loss), 0), coalesce(sum(loss ^ 2), 0)
FROM (SELECT {_LOSSES[loss]} AS loss FROM labelled) AS known
"""


REWARD: Final = f"""
SELECT coalesce(sum(reward), 0), count(*), max(coalesce(reward_at, given.at))
FROM {PREDICTIONS} JOIN {FEEDBACK} AS given
    USING (prediction_id, row_index, namespace, model)
WHERE {_OF_MODEL} AND version = %(version)s AND predictions.at >= %(since)s
    AND reward IS NOT NULL
"""

# A request id is the client's to choose: one that comes twice counts once.
AGREEMENT: Final = f"""
WITH ours AS (
    SELECT DISTINCT ON (request_id, row_index) request_id, row_index, value, class
    FROM {PREDICTIONS} WHERE {_OURS} AND request_id IS NOT NULL
    ORDER BY request_id, row_index, at
), theirs AS (
    SELECT DISTINCT ON (request_id, row_index) request_id, row_index, value, class
    FROM {PREDICTIONS}
    WHERE {_OF_MODEL} AND version = %(stable)s AND request_id IS NOT NULL
        AND at >= %(since)s::timestamptz - {_LAG}
    ORDER BY request_id, row_index, at
), pairs AS (
    SELECT ours.class AS our_class, theirs.class AS their_class,
           abs(ours.value - theirs.value) AS difference,
           stddev_pop(theirs.value) OVER () AS spread
    FROM ours JOIN theirs USING (request_id, row_index)
)
SELECT count(*) FILTER (WHERE CASE
           WHEN our_class IS NULL THEN difference <= 0.1 * spread
           ELSE our_class = their_class END),
       count(*)
FROM pairs
"""

# Of two classes, always that one's probability whose name is the later: which of them is positive
# may differ between two versions.  Without names they are 0 and 1.
DISTRIBUTIONS: Final = f"""
WITH seen AS (
    SELECT version, class,
           CASE WHEN classes[1] COLLATE "C" > classes[2] THEN 1 - value ELSE value END AS value
    FROM {PREDICTIONS}
    WHERE {_OF_MODEL} AND version IN (%(version)s, %(stable)s) AND at >= %(since)s
), tenths AS (
    SELECT percentile_disc(ARRAY[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
        WITHIN GROUP (ORDER BY value) AS bounds
    FROM seen
)
SELECT count(*) FILTER (WHERE version = %(version)s), count(*) FILTER (WHERE version = %(stable)s)
FROM seen, tenths
GROUP BY coalesce(width_bucket(value, bounds)::text, class)
ORDER BY coalesce(width_bucket(value, bounds)::text, class)
"""

_HISTORY_COLUMNS: Final = (
    "rollout_uid", "transition", "namespace", "model", "rollout", "at", "version", "stable",
    "began", "ended", "weight", "trigger", "by", "reason", "message", "numbers",
)  # fmt: skip

ADD_HISTORY: Final = f"""
INSERT INTO {SCHEMA}.history ({", ".join(_HISTORY_COLUMNS)})
VALUES ({", ".join(f"%({column})s" for column in _HISTORY_COLUMNS)})
ON CONFLICT DO NOTHING
"""

HISTORY: Final = f"""
SELECT {", ".join(_HISTORY_COLUMNS)} FROM {SCHEMA}.history
WHERE {_OF_MODEL} ORDER BY at DESC, transition LIMIT %(limit)s
"""


# A study's own rows and those of its trials, in the order in which they refer to each other.
_OF_TRIALS: Final = (
    "trial_heartbeats", "trial_intermediate_values", "trial_params", "trial_system_attributes",
    "trial_user_attributes", "trial_values",
)  # fmt: skip
_OF_STUDIES: Final = (
    "trials", "study_directions", "study_system_attributes", "study_user_attributes", "studies"
)  # fmt: skip

# False before the first search has made the table.
HAS_STUDIES: Final = """
SELECT 1 FROM pg_tables WHERE schemaname = %(schema)s AND tablename = 'studies'
"""

# In the schema that the client fills in.  By the start and the end of its name: of the uid alone,
# a study could be another namespace's.
_STUDIES: Final = """
SELECT study_id FROM {schema}.studies
WHERE starts_with(study_name, %(start)s) AND right(study_name, length(%(end)s)) = %(end)s
"""

# Nothing is fetched: the tables are a tenant's, and what they answer may be of any size.
REMOVE_STUDY: Final = (
    *(
        f"""DELETE FROM {{schema}}.{table} WHERE trial_id IN (
            SELECT trial_id FROM {{schema}}.trials WHERE study_id IN ({_STUDIES}))"""
        for table in _OF_TRIALS
    ),
    *(f"DELETE FROM {{schema}}.{table} WHERE study_id IN ({_STUDIES})" for table in _OF_STUDIES),
)

# What a tenant holds, in a transaction that it leaves open, is left for the next time: here and in
# ``remove_old``, nobody else's rows wait for it.
FORGET_USAGE: Final = f"""
DELETE FROM {SCHEMA}.usage WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {SCHEMA}.usage WHERE day < %(before)s::timestamptz::date
    FOR UPDATE SKIP LOCKED
))
"""
TENANTS: Final = f"SELECT namespace FROM {SCHEMA}.tenants ORDER BY namespace"


def remove_old(table: str) -> str:
    """Remove some of the rows older than ``before``; fewer than ``limit`` means that was all."""
    return f"""
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {table} WHERE at < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
))
"""
