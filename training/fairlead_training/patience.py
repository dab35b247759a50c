"""The wait for a neighbour that does not answer yet: bounded, in growing pauses, and told.

A data source, MLflow or the study database may come up after the training that needs it, or go
away for a while.  That says nothing of the training, so what failed is done again in the same pod.
"""

import gc
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from fairlead_training.failure import TrainingFailure, Trouble

_T = TypeVar("_T")

_LONGEST_PAUSE: Final = 30.0
_MOST_COUNTED: Final = 60.0  # seconds of another try; one that takes longer has done something
_MOST_SAID: Final = 400  # characters of each part: status holds 1024
_IN_MINUTES: Final = 90  # seconds, from which on a time is told in minutes
# Seconds of a try after which it has found who was waited for: a connection takes up to 10.
_GOES_ON: Final = 15.0

_log = logging.getLogger(__name__)


class Patience:
    """Waits for others, in all no longer than so many seconds.

    Args:
        tell: says what is waited for; None when work goes on.
        goes_on: seconds of a try after which work goes on.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        tell: Callable[[str | None], None],
        goes_on: float = _GOES_ON,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = self._left = seconds
        self._tell = tell
        self._goes_on = goes_on
        self._sleep = sleep
        self._clock = clock
        self._awaited = ""
        self._tries = 0

    def have(self, work: Callable[[], _T]) -> _T:
        """Return what the work gives, once those answer that it needs.

        Raises:
            TrainingFailure: no waiting helps, or none did.
        """
        while True:
            began = self._clock()
            try:
                return self._try(work)
            except TrainingFailure as failure:
                trouble = failure.trouble
                if trouble is None or not self._seconds:
                    raise
                self._count(trouble, self._clock() - began)
                if self._left <= 0:
                    raise failure.after(_say(self._seconds)) from failure
            gc.collect()  # the rows of that try, which its traceback held
            self._wait(trouble)

    def _try(self, work: Callable[[], _T]) -> _T:
        if not self._awaited:
            return work()
        watch = threading.Timer(self._goes_on, self._tell, (None,))
        watch.daemon = True
        watch.start()
        try:
            return work()
        finally:
            watch.cancel()
            watch.join()  # or it could take back what is told next

    def _count(self, trouble: Trouble, took: float) -> None:
        if trouble.of == self._awaited:
            self._tries += 1
            self._left -= min(took, _MOST_COUNTED)
        else:
            self._tries, self._awaited = 1, trouble.of

    def _wait(self, trouble: Trouble) -> None:
        tries = "once" if self._tries == 1 else f"{self._tries} times"
        told = (
            f"waiting for {trouble.of[:_MOST_SAID]}: {trouble.said[:_MOST_SAID]}; "
            f"tried {tries}, gives up in {_say(self._left)}"
        )
        _log.warning("somebody does not answer", extra={"why": told})
        self._tell(told)
        pause = min(2.0 ** (self._tries - 1), _LONGEST_PAUSE, self._left)
        self._left -= pause
        self._sleep(pause)


def _say(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= _IN_MINUTES else f"{seconds:.0f} s"
