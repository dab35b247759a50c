"""What a machine must have: each lack is one line that names it and the way out."""

from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.preflight import (
    parse_port,
    require_go,
    require_linux_root,
    require_port,
    require_space,
)
from support.commands import FakeRun

GO_MOD = "module example\n\ngo 1.26.4\n"


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with pytest.raises(ClusterError, match=r"127\.0\.0\.1:16443 is in use; choose another"):
        require_port(16443, way_out="choose another", is_free=lambda port: False)


def test_a_free_port_will_do() -> None:
    require_port(16443, way_out="", is_free=lambda port: True)


@pytest.mark.parametrize("text", ["", "abc", "0", "65536", "-1"])
def test_a_port_must_be_one(text: str) -> None:
    with pytest.raises(ClusterError, match="FAIRLEAD_CLUSTER_PORT"):
        parse_port(text, variable="FAIRLEAD_CLUSTER_PORT")


def test_only_root_can() -> None:
    with pytest.raises(ClusterError, match="needs root"):
        require_linux_root(uid=1000)


def test_only_linux_can() -> None:
    with pytest.raises(ClusterError, match="needs Linux"):
        require_linux_root(uid=0, platform="darwin")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=f"{tmp_path}/new has .* GB free, and 999999 GB are"):
        require_space(tmp_path / "new", 999_999)


@pytest.mark.parametrize("version", ["go1.26.4", "go1.26.10", "go1.27", "go2.0.1"])
def test_go_that_is_new_enough(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/go")

    require_go(FakeRun({"go env": version}), GO_MOD)


@pytest.mark.parametrize("version", ["go1.26.3", "go1.19.8", "devel"])
def test_go_that_is_too_old(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/go")

    with pytest.raises(ClusterError, match=r"too old .*install Go 1\.26\.4 or newer"):
        require_go(FakeRun({"go env": version}), GO_MOD)


def test_no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)

    with pytest.raises(ClusterError, match="Go is not installed; install Go"):
        require_go(FakeRun(), GO_MOD)
