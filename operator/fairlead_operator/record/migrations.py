"""The numbered steps of the record's schema.  Pure text; ``record.upgrade`` applies them.

Servers and operators of other releases write and read during a step and after it.  Hence the
rules:

- A released step never changes.  It spells out names instead of using constants that may move.
- A step only adds: tables, indexes, and columns that are nullable or have a constant default
  (another default rewrites the table).  It drops, renames and narrows nothing; row-level security
  leaves the owner of the tables all rights.  Older servers
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

# A namespace with a login of its own, ``tenants``, reads and writes its own rows and no others.
#
# Rights on the tables go to PUBLIC, since the list of grants of a table ends at some hundred
# logins.  What each login needs besides is the right to use the schema, and a row of ``tenants``:
# without one the policies show and take nothing.  Whoever may write history is an operator.
#
# A row of the far future would outlive the retention.
#
# ``session_user`` is who connected; nobody but a superuser can change it.  ``UPDATE`` is granted by
# column, because on the table it would bring the right to lock the table against everyone.
_TENANTS: Final = Migration(
    version=3,
    name="rows by namespace and login",
    statements=(
        """
        CREATE TABLE fairlead_record.tenants (
            login name PRIMARY KEY,
            namespace text NOT NULL UNIQUE,
            predictions bigint NOT NULL,
            feedback bigint NOT NULL
        )
        """,
        # Writers of a namespace that write at the same time count in different slots.
        """
        CREATE TABLE fairlead_record.usage (
            namespace text NOT NULL,
            day date NOT NULL,
            slot integer NOT NULL,
            predictions bigint NOT NULL DEFAULT 0,
            feedback bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (namespace, day, slot)
        )
        """,
        """
        CREATE FUNCTION fairlead_record.tenant() RETURNS text
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $$ SELECT namespace FROM fairlead_record.tenants WHERE login = session_user $$
        """,
        # Before a statement: its slot is locked, before any row of feedback is, so that no two
        # writers wait for each other; and a full day is refused before anything is written.
        # After it: what it wrote is counted, a row larger than 1 KiB as several; one statement may
        # pass the limit by a tenth.
        """
        CREATE FUNCTION fairlead_record.count_usage() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS $$
        DECLARE
            tenant fairlead_record.tenants;
            today CONSTANT date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
            own_slot CONSTANT integer := pg_backend_pid() % 16;
            is_feedback CONSTANT boolean := TG_TABLE_NAME = 'feedback';
            written_rows bigint := 0;
            used bigint;
            most bigint;  -- for today
        BEGIN
            SELECT * INTO tenant FROM fairlead_record.tenants WHERE login = session_user;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            most := CASE WHEN is_feedback THEN tenant.feedback ELSE tenant.predictions END;
            IF TG_WHEN = 'BEFORE' THEN
                INSERT INTO fairlead_record.usage (namespace, day, slot)
                VALUES (tenant.namespace, today, own_slot) ON CONFLICT DO NOTHING;
                PERFORM 1 FROM fairlead_record.usage
                WHERE namespace = tenant.namespace AND day = today AND slot = own_slot FOR UPDATE;
            ELSE
                SELECT coalesce(sum(1 + pg_column_size(written.*) / 1024), 0) INTO written_rows
                FROM written;
                INSERT INTO fairlead_record.usage AS stored
                    (namespace, day, slot, predictions, feedback)
                VALUES (tenant.namespace, today, own_slot,
                    CASE WHEN is_feedback THEN 0 ELSE written_rows END,
                    CASE WHEN is_feedback THEN written_rows ELSE 0 END)
                ON CONFLICT (namespace, day, slot) DO UPDATE SET
                    predictions = stored.predictions + excluded.predictions,
                    feedback = stored.feedback + excluded.feedback;
            END IF;
            SELECT sum(CASE WHEN is_feedback THEN feedback ELSE predictions END) INTO used
            FROM fairlead_record.usage WHERE namespace = tenant.namespace AND day = today;
            IF used >= most AND (TG_WHEN = 'BEFORE' OR used > most + most / 10) THEN
                RAISE EXCEPTION 'namespace % has written its % rows of % for today (UTC)',
                    tenant.namespace, most, TG_TABLE_NAME
                    USING ERRCODE = 'FL001', TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """,
        "REVOKE ALL ON FUNCTION fairlead_record.count_usage() FROM PUBLIC",
        "ALTER TABLE fairlead_record.predictions ENABLE ROW LEVEL SECURITY",
        """
        CREATE POLICY tenants ON fairlead_record.predictions
            USING (namespace = (SELECT fairlead_record.tenant()))
            WITH CHECK (namespace = (SELECT fairlead_record.tenant())
                AND at < now() + interval '1 day')
        """,
        """
        CREATE POLICY operators ON fairlead_record.predictions USING ((
            SELECT has_table_privilege(
                session_user, 'fairlead_record.history'::regclass, 'INSERT')
        ))
        """,
        """
        CREATE TRIGGER limit_usage BEFORE INSERT ON fairlead_record.predictions
            FOR EACH STATEMENT EXECUTE FUNCTION fairlead_record.count_usage()
        """,
        """
        CREATE TRIGGER count_usage AFTER INSERT ON fairlead_record.predictions
            REFERENCING NEW TABLE AS written
            FOR EACH STATEMENT EXECUTE FUNCTION fairlead_record.count_usage()
        """,
        "GRANT SELECT, INSERT ON fairlead_record.predictions TO PUBLIC",
        "ALTER TABLE fairlead_record.feedback ENABLE ROW LEVEL SECURITY",
        """
        CREATE POLICY tenants ON fairlead_record.feedback
            USING (namespace = (SELECT fairlead_record.tenant()))
            WITH CHECK (namespace = (SELECT fairlead_record.tenant())
                AND at < now() + interval '1 day')
        """,
        """
        CREATE POLICY operators ON fairlead_record.feedback USING ((
            SELECT has_table_privilege(
                session_user, 'fairlead_record.history'::regclass, 'INSERT')
        ))
        """,
        """
        CREATE TRIGGER limit_usage BEFORE INSERT OR UPDATE ON fairlead_record.feedback
            FOR EACH STATEMENT EXECUTE FUNCTION fairlead_record.count_usage()
        """,
        """
        CREATE TRIGGER count_usage AFTER INSERT ON fairlead_record.feedback
            REFERENCING NEW TABLE AS written
            FOR EACH STATEMENT EXECUTE FUNCTION fairlead_record.count_usage()
        """,
        """
        CREATE TRIGGER count_changes AFTER UPDATE ON fairlead_record.feedback
            REFERENCING NEW TABLE AS written
            FOR EACH STATEMENT EXECUTE FUNCTION fairlead_record.count_usage()
        """,
        "GRANT SELECT, INSERT ON fairlead_record.feedback TO PUBLIC",
        """
        GRANT UPDATE (label_value, label_class, label_at, reward, reward_at)
            ON fairlead_record.feedback TO PUBLIC
        """,
    ),
)

# What the probabilities of a row are of; null where classes are numbered 0, 1, 2, …
_CLASSES: Final = Migration(
    version=4,
    name="classes of predictions",
    statements=("ALTER TABLE fairlead_record.predictions ADD COLUMN classes text[]",),
)

STEPS: Final = (_FIRST, _FEEDBACK_TIMES, _TENANTS, _CLASSES)
