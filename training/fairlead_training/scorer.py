"""Run a champion's code: ``python -m fairlead_training.scorer``, in a container of its own.

It waits for the trainer's question (``foreign``) and answers it once.  Then it sleeps: a container
beside the trainer's is started anew when it ends, until the trainer has ended.
"""

import os
import signal
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Final

import numpy as np

from fairlead_contract.artifact import CHAMPION_ROOM
from fairlead_training.foreign import (
    ANSWER,
    ARTIFACT,
    ASKED,
    LONGEST_TROUBLE,
    NUMBER,
    QUESTION,
    ROWS,
    SCORES,
    TROUBLE,
    write_answer,
)

_BEGUN: Final = "begun"
_LOOK_SECONDS: Final = 0.2
_DEFAULTS: Final[Mapping[str, str]] = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MPLCONFIGDIR": "/tmp",  # noqa: S108  the container's own emptyDir
    "HOME": "/tmp",  # noqa: S108  as above
}


def main(variables: MutableMapping[str, str]) -> None:
    """Answer the question, and sleep until told to end."""
    signal.signal(signal.SIGTERM, _end)  # process 1 has no default action
    for name, value in _DEFAULTS.items():
        variables.setdefault(name, value)
    room = Path(variables[CHAMPION_ROOM])
    while not (room / QUESTION / ASKED).exists():
        time.sleep(_LOOK_SECONDS)
    answer(room)
    while True:
        signal.pause()


def answer(room: Path) -> None:
    """Score the rows of the question, whatever becomes of it."""
    try:
        (room / ANSWER / _BEGUN).touch(exist_ok=False)
    except FileExistsError:  # this container is not the first
        if not any((room / ANSWER / name).exists() for name in (SCORES, TROUBLE)):
            write_answer(room, TROUBLE, b"it ended its process, or was ended for its memory")
        return
    try:
        scores = _score(room / QUESTION)
    except BaseException as error:  # of any author; it may raise SystemExit
        said = f"{type(error).__name__}: {error}".encode()[:LONGEST_TROUBLE]
        write_answer(room, TROUBLE, said)
        return
    write_answer(room, SCORES, scores)


def _score(question: Path) -> bytes:
    # Imported when there is something to score: they take seconds, and 200 MB.
    import mlflow.pyfunc  # noqa: PLC0415  as above
    import pandas as pd  # noqa: PLC0415  as above

    rows = pd.read_pickle(question / ROWS)  # noqa: S301  the trainer's own
    predictions = mlflow.pyfunc.load_model(str(question / ARTIFACT)).predict(rows)
    return np.asarray(predictions, dtype=NUMBER).tobytes()


def _end(_signal: int, _frame: object) -> None:
    os._exit(0)


if __name__ == "__main__":
    main(os.environ)
