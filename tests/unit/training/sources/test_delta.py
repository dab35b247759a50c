"""Versions of a Delta Lake table on a claim: their rows, and what is told of bad ones."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.claim import read_claim
from fairlead_training.sources.delta import Folder, choose_log, find_table
from support.reading import environment
from support.trainer_config import data_config

DAYS = pd.to_datetime(["2026-01-01", "2026-01-02"])
FIRST = {"time": DAYS, "zone": ["no1", "se/ 3"], "up": [0, 1]}
SECRET = "top-secret"


def commit(number: int) -> str:
    return f"{number:020}.json"


def checkpoint(number: int, part: int | None = None, of: int = 2) -> str:
    return f"{number:020}.checkpoint{'' if part is None else f'.{part:010}.{of:010}'}.parquet"


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table in six versions: begun, appended, with a column more, emptied, filled, packed."""
    root = tmp_path_factory.mktemp("delta")
    table = str(root / "prices")
    write_deltalake(table, pa.table(FIRST), partition_by=["zone"])
    write_deltalake(table, pa.table({**FIRST, "up": [1, 1]}), mode="append")
    more = pa.table({**FIRST, "wind": [1.5, 2.5]})
    write_deltalake(table, more, mode="append", schema_mode="merge")
    DeltaTable(table).delete()
    write_deltalake(table, more, mode="append")
    DeltaTable(table).create_checkpoint()
    write_deltalake(table, more.slice(0, 1), mode="append")
    return root


@pytest.fixture(name="volume")
def _volume(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "volume"))


def read(volume: Path, path: str = "prices", **changes: Any) -> pd.DataFrame:
    config = data_config(uri=f"pvc://market/{path}", **{"format": "delta", **changes})
    return read_claim(config, environment(scratch=str(volume.parent)), None, root=str(volume))


def said_of(volume: Path, **changes: Any) -> TrainingFailure:
    with pytest.raises(TrainingFailure) as caught:
        read(volume, **changes)
    assert SECRET not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("version", "up", "columns"),
    [
        pytest.param(0, [0, 1], {"time", "up", "zone"}, id="the first"),
        pytest.param(1, [0, 1, 1, 1], {"time", "up", "zone"}, id="with rows that were added"),
        pytest.param(2, [0, 0, 1, 1, 1, 1], {"time", "up", "wind", "zone"}, id="a new column"),
        pytest.param(4, [0, 1], {"time", "up", "wind", "zone"}, id="from a checkpoint"),
        pytest.param(5, [0, 0, 1], {"time", "up", "wind", "zone"}, id="after a checkpoint"),
        pytest.param(None, [0, 0, 1], {"time", "up", "wind", "zone"}, id="the latest"),
    ],
)
def test_a_version_is_its_rows(
    version: int | None, up: list[int], columns: set[str], volume: Path
) -> None:
    frame = read(volume, version=version)

    assert sorted(frame["up"]) == up
    assert set(frame.columns) == columns
    assert set(frame["zone"]) == {"no1", "se/ 3"}
    assert frame["time"].dtype.kind == "M"


def test_a_version_is_read_in_the_same_order_each_time(volume: Path) -> None:
    pd.testing.assert_frame_equal(read(volume, version=2), read(volume, version=2))


def test_the_log_is_read_as_far_as_a_version_needs_it(volume: Path) -> None:
    (volume / "prices" / "_delta_log" / commit(0)).unlink()

    assert len(read(volume, version=5)) == 3


def test_an_empty_version_is_told(volume: Path) -> None:
    failure = said_of(volume, version=3)

    assert failure.reason is Reason.DATA_EMPTY
    assert "version 3 of pvc://market/prices holds no rows" in failure.message


def _cut(volume: Path, number: int, share: float) -> None:
    path = volume / "prices" / "_delta_log" / commit(number)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def _remove(volume: Path, *names: str) -> None:
    for name in names:
        (volume / "prices" / "_delta_log" / name).unlink()


def _vacuum(volume: Path) -> None:
    DeltaTable(str(volume / "prices")).vacuum(
        retention_hours=0, enforce_retention_duration=False, dry_run=False
    )


def _rewrite(
    volume: Path, number: int, change: Callable[[dict[str, Any]], None], kind: str
) -> None:
    path = volume / "prices" / "_delta_log" / commit(number)
    actions = [json.loads(line) for line in path.read_text().splitlines()]
    for action in actions:
        if kind in action:
            change(action[kind])
    path.write_text("\n".join(map(json.dumps, actions)) + "\n")


def _feature(volume: Path, name: str) -> None:
    def add(protocol: dict[str, Any]) -> None:
        for kind in ("readerFeatures", "writerFeatures"):
            protocol[kind] = ["timestampNtz", name]

    _rewrite(volume, 0, add, "protocol")


def _map(volume: Path) -> None:
    _feature(volume, "columnMapping")

    def name_columns(metadata: dict[str, Any]) -> None:
        metadata["configuration"]["delta.columnMapping.mode"] = "name"

    _rewrite(volume, 0, name_columns, "metaData")


def _delete_rows(volume: Path) -> None:
    _feature(volume, "deletionVectors")
    vector = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4,
              "sizeInBytes": 40, "cardinality": 1}  # fmt: skip
    _rewrite(volume, 0, lambda add: add.update(deletionVector=vector), "add")


def _lead(volume: Path, path: str) -> None:
    (volume.parent / "outside.parquet").write_text(SECRET)
    _rewrite(volume, 0, lambda add: add.update(path=path), "add")


@pytest.mark.parametrize(
    ("spoil", "version", "words"),
    [
        pytest.param(lambda v: _cut(v, 1, 0), 1, [commit(1), "half written"],
                     id="a commit without a byte"),
        pytest.param(lambda v: _cut(v, 1, 0.5), 1, [commit(1), "half written"], id="half a commit"),
        pytest.param(lambda v: _cut(v, 1, 0.5), 2, [commit(1), "half written"],
                     id="half a commit before the version"),
        pytest.param(lambda v: _remove(v, commit(1)), 2, ["no version 2", "begins with 4"],
                     id="a version whose commits were removed"),
        pytest.param(lambda v: _remove(v, commit(5)), 5, ["no version 5", "the latest is 4"],
                     id="a version that is not there yet"),
        pytest.param(lambda v: _remove(v, commit(1), checkpoint(4)), None,
                     ["commit 1 is missing"], id="a gap"),
        pytest.param(_vacuum, 1, ["vacuumed", "version 1"], id="a version that was vacuumed"),
        pytest.param(_map, 0, ["columnMapping"], id="mapped columns"),
        pytest.param(_delete_rows, 0, ["deletionVectors", "PURGE"], id="deleted rows"),
        pytest.param(lambda v: _feature(v, "fancyNew"), 0, ["fancyNew"], id="an unknown feature"),
        pytest.param(lambda v: _feature(v, "variantType"), 0, ["variantType"],
                     id="a feature that the library alone knows"),
        pytest.param(lambda v: _lead(v, "../../outside.parquet"), 0, ["outside of its folder"],
                     id="rows above the table"),
        pytest.param(lambda v: _lead(v, "%2E%2E/%2E%2E/outside.parquet"), 0,
                     ["outside of its folder"], id="the same, quoted"),
        pytest.param(lambda v: _lead(v, "s3://other/outside.parquet"), 0, ["clone"],
                     id="rows of another table"),
        pytest.param(lambda v: (v / "prices" / "_delta_log" / checkpoint(4)).write_bytes(b"PAR1"),
                     5, ["checkpoint"], id="half a checkpoint"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(
    spoil: Callable[[Path], object], version: int | None, words: Sequence[str], volume: Path
) -> None:
    spoil(volume)

    failure = said_of(volume, version=version)

    assert failure.reason is Reason.DATA_FORMAT_INVALID
    assert all(word in failure.message for word in ["pvc://market/prices", *words])


def test_features_that_no_row_uses_are_no_obstacle(volume: Path) -> None:
    _feature(volume, "deletionVectors")

    assert len(read(volume, version=1)) == 4


def test_what_was_written_but_not_committed_is_no_part(volume: Path) -> None:
    (volume / "prices" / "zone=no1" / "part-9.parquet").write_bytes(b"PAR1")
    (volume / "prices" / "_delta_log" / "_commit_0a1b.json.tmp").write_bytes(b"{")

    assert len(read(volume)) == 3


@pytest.mark.parametrize("name", ["_sidecars/../../../lost.parquet", "_sidecars/a/../lost.parquet"])
def test_a_store_names_no_place_of_the_trainers(name: str, built: Path, tmp_path: Path) -> None:
    """A store may list what no folder of a disk holds."""
    log = built / "prices" / "_delta_log"
    asked: list[str] = []

    def open_below(below: str) -> IO[bytes]:
        asked.append(below)
        return (built / "prices" / below).open("rb")

    folder = Folder(
        name="s3://b/prices",
        list=lambda _: [*(each.name for each in log.iterdir()), name],
        open=open_below,
    )

    found = find_table(folder, data_config(format="delta"), scratch=str(tmp_path))

    assert found
    assert f"_delta_log/{name}" not in asked
    assert list(tmp_path.iterdir()) == []


def test_half_written_rows_are_told(volume: Path) -> None:
    part = next((volume / "prices").glob("zone=no1/*.parquet"))
    for each in (volume / "prices").glob("zone=no1/*.parquet"):
        each.write_bytes(part.read_bytes()[:-30])

    assert "its end is missing" in said_of(volume).message


@pytest.mark.parametrize("path", ["", "prices/zone=no1", "gone"])
def test_a_folder_that_is_no_table_is_told(path: str, volume: Path) -> None:
    with pytest.raises(TrainingFailure, match="is no Delta Lake table"):
        read(volume, path)


@pytest.mark.parametrize("format_", [None, "parquet"])
def test_a_table_is_not_read_as_a_folder(format_: str | None, volume: Path) -> None:
    """Else rows that were deleted or replaced would be learned from."""
    assert "set spec.data.source.format to delta" in said_of(volume, format=format_).message


@pytest.mark.parametrize(
    ("names", "version", "expected"),
    [
        pytest.param([commit(0), commit(1)], None, [commit(0), commit(1)], id="all commits"),
        pytest.param([commit(0), commit(1)], 0, [commit(0)], id="up to a version"),
        pytest.param([commit(0), commit(1), checkpoint(1), commit(2)], None,
                     [checkpoint(1), commit(2)], id="from a checkpoint"),
        pytest.param([commit(0), commit(1), checkpoint(1)], 0, [commit(0)],
                     id="a checkpoint after the version"),
        pytest.param([commit(0), commit(1), checkpoint(1, 1)], None, [commit(0), commit(1)],
                     id="a checkpoint with a missing part"),
        pytest.param([checkpoint(1, 1), checkpoint(1, 2), commit(2)], None,
                     [checkpoint(1, 1), checkpoint(1, 2), commit(2)], id="one in two parts"),
        pytest.param([commit(0), "_last_checkpoint", f"{0:020}.crc", "_commit_1.json.tmp"], None,
                     [commit(0)], id="what belongs to writers"),
    ],
)  # fmt: skip
def test_the_part_of_the_log_that_a_version_needs(
    names: list[str], version: int | None, expected: list[str]
) -> None:
    log = choose_log(names, version, table="s3://b/t")

    assert [*log.others, *log.commits] == expected
