"""Archives are published whole or not at all, and old ones do not pile up."""

import os
from pathlib import Path

from images.cache import ArchiveRecord, Cache


def keep(cache: Cache, name: str, tag: str, *, used_at: int = 0) -> ArchiveRecord:
    """Put an archive into the cache as a build does, last used at the given second."""
    cache.archives.mkdir(parents=True, exist_ok=True)
    archive = cache.archive(name, tag)
    partial = archive.with_name(archive.name + ".partial")
    partial.write_bytes(b"layers")
    record = ArchiveRecord(
        name=name, reference=f"localhost/fairlead/{name}:{tag}", digest="sha256:1"
    )
    cache.keep(partial, archive, record)
    os.utime(archive.with_suffix(".json"), (used_at, used_at))
    return record


def test_a_kept_archive_is_found(tmp_path: Path) -> None:
    cache = Cache(root=tmp_path)

    record = keep(cache, "operator", "one")

    assert cache.find("operator", "one") == record
    assert cache.archive("operator", "one").read_bytes() == b"layers"


def test_an_archive_without_a_record_is_not_found(tmp_path: Path) -> None:
    cache = Cache(root=tmp_path)
    keep(cache, "operator", "one")
    cache.archive("operator", "one").with_suffix(".json").unlink()

    assert cache.find("operator", "one") is None


def test_a_record_without_an_archive_is_not_found(tmp_path: Path) -> None:
    cache = Cache(root=tmp_path)
    keep(cache, "operator", "one")
    cache.archive("operator", "one").unlink()

    assert cache.find("operator", "one") is None


def test_what_an_interrupted_build_left_is_dropped(tmp_path: Path) -> None:
    cache = Cache(root=tmp_path)
    keep(cache, "operator", "one")
    (cache.archives / "operator-two.tar.partial").write_bytes(b"half")

    cache.drop_partial_archives()

    assert sorted(path.name for path in cache.archives.iterdir()) == [
        "operator-one.json",
        "operator-one.tar",
    ]


def test_pruning_keeps_the_two_used_last(tmp_path: Path) -> None:
    cache = Cache(root=tmp_path)
    for second, tag in enumerate(["one", "two", "three", "four"]):
        keep(cache, "operator", tag, used_at=second)

    removed = cache.prune("operator")

    assert removed == ["localhost/fairlead/operator:two", "localhost/fairlead/operator:one"]
    assert sorted(path.stem for path in cache.archives.glob("*.tar")) == [
        "operator-four",
        "operator-three",
    ]


def test_finding_an_archive_saves_it_from_pruning(tmp_path: Path) -> None:
    cache = Cache(root=tmp_path)
    for second, tag in enumerate(["one", "two", "three"]):
        keep(cache, "operator", tag, used_at=second)
    cache.find("operator", "one")

    removed = cache.prune("operator")

    assert removed == ["localhost/fairlead/operator:two"]


def test_pruning_leaves_other_images_alone(tmp_path: Path) -> None:
    cache = Cache(root=tmp_path)
    for name in ("operator", "operator-extra"):
        for tag in ("one", "two"):
            keep(cache, name, tag)

    assert cache.prune("operator") == []


def test_the_lock_can_be_taken_in_an_empty_cache(tmp_path: Path) -> None:
    cache = Cache(root=tmp_path / "new")

    with cache.lock():
        assert cache.archives.is_dir()
