"""The tables of the record, shared with the model servers (docs/contracts.md, section 6).

Servers append to ``predictions`` and ``feedback``; only the operator creates tables, reads
them, and removes what is old.
"""

from typing import Final

SCHEMA: Final = "fairlead_record"
# Any number, the same in every operator: two that start at once would both create.
LOCK_KEY: Final = 0x6661_6972_6C65_6164

IS_COMPLETE: Final = f"""
SELECT to_regclass('{SCHEMA}.predictions') IS NOT NULL
   AND to_regclass('{SCHEMA}.feedback') IS NOT NULL
   AND to_regclass('{SCHEMA}.history') IS NOT NULL
"""
HAS_SCHEMA: Final = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s)"

# Asked for by itself: the user may own a schema that an administrator made, and no right to more.
CREATE_SCHEMA: Final = f"CREATE SCHEMA {SCHEMA}"

CREATE_TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS {SCHEMA}.predictions (
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
);
CREATE INDEX IF NOT EXISTS predictions_of_model
    ON {SCHEMA}.predictions (namespace, model, at, version);
CREATE INDEX IF NOT EXISTS predictions_age ON {SCHEMA}.predictions USING brin (at);

CREATE TABLE IF NOT EXISTS {SCHEMA}.feedback (
    prediction_id uuid NOT NULL,
    row_index integer NOT NULL,
    namespace text NOT NULL,
    model text NOT NULL,
    at timestamptz NOT NULL,
    label_value double precision,
    label_class text,
    reward double precision,
    PRIMARY KEY (prediction_id, row_index, namespace, model)
);
CREATE INDEX IF NOT EXISTS feedback_age ON {SCHEMA}.feedback USING brin (at);

CREATE TABLE IF NOT EXISTS {SCHEMA}.history (
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
);
CREATE INDEX IF NOT EXISTS history_of_model ON {SCHEMA}.history (namespace, model, at DESC);
"""
