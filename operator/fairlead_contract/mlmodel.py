"""What the ``MLmodel`` file of an artifact says.  Pure.

Whoever trains writes it, and the operator reads it for all namespaces: a small file must stay
small and quick to read, whatever is in it.
"""

from typing import Any, Final

import yaml

_MOST: Final = 20_000  # nodes of YAML; MLflow writes some hundred, its signature in one of them
_LONGEST_NUMBER: Final = 100  # characters; the work of reading one grows with their square
_NUMBERS: Final = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_UNREADABLE: Final = (
    yaml.YAMLError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip
_MERGE: Final = "tag:yaml.org,2002:merge"


class InvalidMlmodelError(ValueError):
    """A text that is no YAML, or none that MLflow writes."""


def read_mlmodel(text: str) -> Any:
    """Read the text of an ``MLmodel`` file.

    Raises:
        InvalidMlmodelError: it cannot be read.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a safe one
    except _UNREADABLE as error:
        raise InvalidMlmodelError(str(error)) from error


class _Loader(yaml.SafeLoader):
    """A safe loader whose work is bounded by the length of the text.

    Aliases stay: MLflow writes one for each object that it has twice, and they copy nothing.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes += 1
        if self._nodes > _MOST:
            raise yaml.YAMLError(f"it has more than {_MOST} values")
        node = super().compose_node(parent, index)
        if node is None:
            return None
        if node.tag == _MERGE:  # copies what it names: a few levels fill any memory
            raise yaml.YAMLError("it has a merge key (<<), which MLflow does not write")
        if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            raise yaml.YAMLError(f"it has a number of more than {_LONGEST_NUMBER} characters")
        return node
