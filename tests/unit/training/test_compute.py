"""How many threads a container may keep busy."""

from pathlib import Path

import pytest

from fairlead_training.compute import (
    read_cpu_limit,
    read_memory_limit,
    read_memory_used,
    threads_for,
)


@pytest.mark.parametrize(
    ("parallelism", "limit", "cores", "expected"),
    [
        pytest.param(1, None, 8, 8, id="alone"),
        pytest.param(2, None, 8, 4, id="two share a node"),
        pytest.param(4, None, 2, 1, id="more workers than cores"),
        pytest.param(2, 3.0, 8, 3, id="a limit is one's own"),
        pytest.param(1, 0.5, 8, 1, id="less than a core"),
        pytest.param(1, 16.0, 8, 8, id="a limit above the node"),
    ],
)
def test_threads(parallelism: int, limit: float | None, cores: int, expected: int) -> None:
    assert threads_for(parallelism, limit=limit, cores=cores) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [("150000 100000\n", 1.5), ("max 100000\n", None), ("", None), (None, None)],
)
def test_the_cpu_limit_is_the_cgroups(
    tmp_path: Path, content: str | None, expected: float | None
) -> None:
    path = tmp_path / "cpu.max"
    if content is not None:
        path.write_text(content)

    assert read_cpu_limit(path) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [("1073741824\n", 2**30), ("max\n", None), ("", None), (None, None)],
)
def test_the_memory_limit_is_the_cgroups(
    tmp_path: Path, content: str | None, expected: int | None
) -> None:
    path = tmp_path / "memory.max"
    if content is not None:
        path.write_text(content)

    assert read_memory_limit(path) == expected


@pytest.mark.parametrize("content", ["", "1", None])
def test_memory_that_nobody_counts_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "statm"
    if content is not None:
        path.write_text(content)

    assert read_memory_used(path) == 0


def test_the_memory_of_this_process_is_counted() -> None:
    assert read_memory_used() > 10 * 2**20
