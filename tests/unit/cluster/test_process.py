"""Pid files: which process, if any, one still means."""

from dataclasses import replace
from pathlib import Path

import pytest

from cluster.process import ProcessId, identify, running, write_pid_file

BOOT = "11111111-2222"
OURS = ProcessId(pid=42, started=900, boot=BOOT)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc in which process 42 runs."""
    proc = tmp_path / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text(f"{BOOT}\n")
    write_stat(proc, state="S", started=900)
    return proc


def write_stat(proc: Path, *, state: str, started: int) -> None:
    (proc / "42").mkdir(exist_ok=True)
    between = " ".join(["0"] * 18)
    (proc / "42/stat").write_text(f"42 (a) name) {state} {between} {started} 0 0\n")


def test_a_process_is_known_by_its_start(proc: Path) -> None:
    assert identify(42, proc) == OURS


@pytest.mark.parametrize(
    ("state", "started", "recorded", "alive"),
    [
        pytest.param("S", 900, OURS, True, id="the same process"),
        pytest.param("S", 901, OURS, False, id="the number went to another process"),
        pytest.param("Z", 900, OURS, False, id="ended, but nobody has collected it"),
        pytest.param("S", 900, replace(OURS, boot="old"), False, id="written before a reboot"),
        pytest.param("S", 900, replace(OURS, pid=43), False, id="no such process"),
    ],
)
def test_running(state: str, started: int, recorded: ProcessId, alive: bool, proc: Path) -> None:
    write_stat(proc, state=state, started=started)
    write_pid_file(proc / "etcd.pid", recorded)

    assert (running(proc / "etcd.pid", proc) == recorded) is alive


@pytest.mark.parametrize("content", ["", "42", "{}", '{"pid": 42}', "[]"])
def test_a_broken_pid_file_means_nobody(content: str, proc: Path, tmp_path: Path) -> None:
    (tmp_path / "etcd.pid").write_text(content)

    assert running(tmp_path / "etcd.pid", proc) is None


def test_no_pid_file_means_nobody(proc: Path, tmp_path: Path) -> None:
    assert running(tmp_path / "etcd.pid", proc) is None
