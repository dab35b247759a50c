"""The images the operator puts into pods."""

import dataclasses

from fairlead_contract import graph


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    training: str
    serving: str
    onnx: str = ""  # of servers of graphs alone; empty: those run in `serving`, too
    pull_policy: str
    pull_secrets: tuple[str, ...]

    def of_server(self, form: str) -> str:
        """Return the image for a server of versions of this form; empty where it is not known.

        The one for graphs opens nothing else, the other one opens all.
        """
        return self.onnx if self.onnx and form == graph.FLAVOR else self.serving
