"""A champion that is more than data, scored beside the trainer and not in it.

Its code runs in a container of its own in the trainer's pod (``scorer``), which has no Secret, no
address, no file and no process of the trainer's.  Two folders are between them:

    question   the trainer writes: the artifact, the rows without target, and at last ``asked``
    answer     the other writes: ``scores``, or ``trouble`` in words

Each can only read the other's.  An answer is never unpickled, parsed or followed elsewhere.
"""

import os
import shutil
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

QUESTION: Final = "question"
ANSWER: Final = "answer"
ARTIFACT: Final = "artifact"
ROWS: Final = "rows"
ASKED: Final = "asked"
SCORES: Final = "scores"  # numbers of 8 bytes, row after row
TROUBLE: Final = "trouble"
LONGEST_TROUBLE: Final = 300  # bytes

NUMBER: Final = np.dtype("<f8")
_MOST_CLASSES: Final = 1000
_LOOK_SECONDS: Final = 0.2


class ForeignCodeError(Exception):
    """The code gave no scores; the message goes on after "its code"."""


def ask(
    room: Path, artifact: Path, rows: "pd.DataFrame", *, patience: float
) -> npt.NDArray[np.float64]:
    """Have the rows scored by the artifact's code; one number a row, or one for each class.

    Args:
        patience: seconds.

    Raises:
        ForeignCodeError: it gave none.
    """
    question, answer = room / QUESTION, room / ANSWER
    shutil.copytree(artifact, question / ARTIFACT, symlinks=True, dirs_exist_ok=True)
    rows.to_pickle(question / ROWS)  # written by us, for the other to trust; never the reverse
    (question / ASKED).touch()
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        trouble = _read(answer / TROUBLE, LONGEST_TROUBLE)
        if trouble is not None:
            raise ForeignCodeError(f"failed: {_words(trouble)}")
        scores = _read(answer / SCORES, len(rows) * _MOST_CLASSES * NUMBER.itemsize)
        if scores is not None:
            return _to_scores(scores, len(rows))
        time.sleep(_LOOK_SECONDS)
    raise ForeignCodeError(f"gave no predictions within {patience:g} s")


def _to_scores(content: bytes, rows: int) -> npt.NDArray[np.float64]:
    if not content or len(content) % (rows * NUMBER.itemsize):
        raise ForeignCodeError(f"gave {len(content)} bytes of predictions for {rows} rows")
    scores = np.frombuffer(content, dtype=NUMBER).astype(np.float64)
    return scores if len(scores) == rows else scores.reshape(rows, -1)


def _read(path: Path, limit: int) -> bytes | None:
    """Read a file that another may have put there, whatever it is; None while it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:  # a link, for example
        raise ForeignCodeError("left something else than an answer") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ForeignCodeError("left something else than an answer")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ForeignCodeError(f"gave more than {limit} bytes")
    return content


def _words(text: bytes) -> str:
    told = text.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in told)


def write_answer(room: Path, name: str, content: bytes) -> None:
    """Leave an answer, all of it at once."""
    draft = room / ANSWER / f"{name}.draft"
    draft.write_bytes(content)
    draft.rename(room / ANSWER / name)
