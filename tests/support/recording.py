"""A runner of commands that remembers them."""

import dataclasses
from collections.abc import Mapping, Sequence

from images.commands import BuildError


@dataclasses.dataclass(slots=True)
class RecordingRunner:
    """Runs nothing; fails the commands that contain one of the given words."""

    failing: tuple[str, ...] = ()
    answer: str = ""
    seen: list[str] = dataclasses.field(default_factory=list)

    def run(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self.read(argv)

    def read(self, argv: Sequence[str]) -> str:
        self.seen.append(" ".join(argv))
        if set(self.failing) & set(argv):
            raise BuildError("failed")
        return self.answer
