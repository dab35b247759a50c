"""The numbered steps of the record's schema.  Pure text; ``record.upgrade`` applies them.

Servers and operators of other releases write and read during a step and after it.  Hence the
rules:

- A released step never changes.  It spells out names instead of using constants that may move.
- A step only adds: tables, indexes, and columns that are nullable or have a constant default
  (another default rewrites the table).  It drops, renames and narrows nothing.  Older servers
  name the columns they write, and older operators those they read, so both keep working.
- A step that touches several tables takes ``predictions`` before ``feedback``, as servers do.
- ``CREATE INDEX`` on a table with rows blocks its writers until it is done.  So a step that adds
  an index to ``predictions`` or ``feedback`` is ``concurrently=True``: its statements run one by
  one outside a transaction.  The first is ``DROP INDEX CONCURRENTLY IF EXISTS``, because an
  interrupted build leaves an invalid index, the second ``CREATE INDEX CONCURRENTLY``.
- A step does not fill in values for existing rows: that would be one long transaction.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What makes a schema of this version out of the one before."""

    version: int
    name: str  # kept in the database, for people
    statements: tuple[str, ...]
    concurrently: bool = False  # outside a transaction: after a failure all statements run again


def next_step(steps: Sequence[Migration], version: int) -> Migration | None:
    """Return the first step that a schema of this version lacks."""
    return next((step for step in steps if step.version > version), None)


# The schema from before there were versions; a database that already has it is adopted unchanged.
_FIRST: Final = Migration(
    version=1,
    name="predictions, feedback and history",
    statements=(
        """
        CREATE TABLE IF NOT EXISTS fairlead_record.predictions (
            prediction_id uuid NOT NULL,
            row_index integer NOT NULL,
            request_id text,
            namespace text NOT NULL,
            model text NOT NULL,
            version text NOT NULL,
            at timestamptz NOT NULL,
            mirrored boolean NOT NULL,
            value double precision,
            class text,
            probabilities real[]
        )
        """,
        """
        CREATE INDEX IF NOT EXISTS predictions_of_model
            ON fairlead_record.predictions (namespace, model, at, version)
        """,
        """
        CREATE INDEX IF NOT EXISTS predictions_age ON fairlead_record.predictions USING brin (at)
        """,
        """
        CREATE TABLE IF NOT EXISTS fairlead_record.feedback (
            prediction_id uuid NOT NULL,
            row_index integer NOT NULL,
            namespace text NOT NULL,
            model text NOT NULL,
            at timestamptz NOT NULL,
            label_value double precision,
            label_class text,
            reward double precision,
            PRIMARY KEY (prediction_id, row_index, namespace, model)
        )
        """,
        """
        CREATE INDEX IF NOT EXISTS feedback_age ON fairlead_record.feedback USING brin (at)
        """,
        """
        CREATE TABLE IF NOT EXISTS fairlead_record.history (
            rollout_uid text NOT NULL,
            transition text NOT NULL,
            namespace text NOT NULL,
            model text NOT NULL,
            rollout text NOT NULL,
            at timestamptz NOT NULL,
            version text NOT NULL,
            stable text NOT NULL,
            began timestamptz,
            ended timestamptz,
            weight integer NOT NULL,
            trigger text NOT NULL,
            by text NOT NULL,
            reason text NOT NULL,
            message text NOT NULL,
            numbers jsonb NOT NULL,
            PRIMARY KEY (rollout_uid, transition)
        )
        """,
        """
        CREATE INDEX IF NOT EXISTS history_of_model
            ON fairlead_record.history (namespace, model, at DESC)
        """,
    ),
)

# When a label or a reward was given; null where a server that does not know the columns wrote it.
_FEEDBACK_TIMES: Final = Migration(
    version=2,
    name="times of labels and rewards",
    statements=(
        "ALTER TABLE fairlead_record.feedback ADD COLUMN label_at timestamptz",
        "ALTER TABLE fairlead_record.feedback ADD COLUMN reward_at timestamptz",
    ),
)

STEPS: Final = (_FIRST, _FEEDBACK_TIMES)
