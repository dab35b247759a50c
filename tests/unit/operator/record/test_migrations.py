"""The steps keep to the rules of their module, and are taken in order."""

import re

import pytest

from fairlead_operator.record.migrations import STEPS, Migration, next_step

FIRST, SECOND = (
    Migration(version=number, name=f"step {number}", statements=()) for number in (1, 2)
)

_ADDS = re.compile(
    r"(?i)CREATE (TABLE|INDEX|FUNCTION|TRIGGER|POLICY)\b|GRANT\b|REVOKE ALL ON FUNCTION\b"
    r"|ALTER TABLE \S+ (ADD COLUMN|ENABLE ROW LEVEL SECURITY)\b"
    r"|DROP INDEX CONCURRENTLY IF EXISTS\b"
)
_CREATED = re.compile(r"(?i)CREATE TABLE (?:IF NOT EXISTS )?(\S+)")
_INDEXED = re.compile(r"(?i)CREATE INDEX (?!CONCURRENTLY).*?\bON (\S+)", re.DOTALL)


@pytest.mark.parametrize(
    ("version", "step"),
    [
        pytest.param(0, FIRST, id="no schema, or one of before versions: the first"),
        pytest.param(1, SECOND, id="the one after"),
        pytest.param(2, None, id="up to date"),
        pytest.param(3, None, id="newer than known: nothing"),
    ],
)
def test_the_next_step(version: int, step: Migration | None) -> None:
    assert next_step((FIRST, SECOND), version) == step


def test_steps_are_numbered_from_1_without_a_gap() -> None:
    assert [step.version for step in STEPS] == list(range(1, len(STEPS) + 1))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_steps_only_add(step: Migration) -> None:
    assert broken_rules(step) == []


@pytest.mark.parametrize(
    ("statements", "rule"),
    [
        pytest.param(("DROP TABLE a",), "only adds", id="drops a table"),
        pytest.param(("ALTER TABLE a DROP COLUMN b",), "only adds", id="drops a column"),
        pytest.param(("ALTER TABLE a RENAME COLUMN b TO c",), "only adds", id="renames"),
        pytest.param(("ALTER TABLE a ALTER COLUMN b TYPE int",), "only adds", id="changes a type"),
        pytest.param(("UPDATE a SET b = 1",), "only adds", id="changes rows"),
        pytest.param(
            ("ALTER TABLE a ADD COLUMN b int NOT NULL",), "a default", id="a column to be filled in"
        ),
        pytest.param(
            ("ALTER TABLE a ADD COLUMN b timestamptz DEFAULT clock_timestamp()",),
            "constant",
            id="a default that rewrites the table",
        ),
        pytest.param(
            ("CREATE INDEX b ON a (c)",), "concurrently", id="an index that stops writers"
        ),
    ],
)
def test_what_a_step_must_not_do(statements: tuple[str, ...], rule: str) -> None:
    (broken,) = broken_rules(Migration(version=2, name="bad", statements=statements))

    assert rule in broken


def broken_rules(step: Migration) -> list[str]:
    created = [name for text in step.statements for name in _CREATED.findall(text)]
    broken = []
    for text in map(str.strip, step.statements):
        if not _ADDS.match(text):
            broken.append(f"a step only adds: {text}")
        elif "ADD COLUMN" in text and "NOT NULL" in text and "DEFAULT" not in text:
            broken.append(f"older servers write no such column, so it needs a default: {text}")
        elif "ADD COLUMN" in text and re.search(r"DEFAULT .*\(", text):
            broken.append(f"a default that is not constant rewrites the table: {text}")
        broken += [
            f"an index on a table with rows is built concurrently: {text}"
            for name in _INDEXED.findall(text)
            if name not in created
        ]
    return broken
