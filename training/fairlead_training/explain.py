"""Which features carry the model: the mean size of their parts on the hold-out."""

import io
from collections.abc import Mapping
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from fairlead_training.data import Table
from fairlead_training.learners.protocol import FittedModel

_MOST_ROWS: Final = 2000
_SHOWN: Final = 20


def explain(model: FittedModel, table: Table, *, seed: int) -> dict[str, float]:
    """Return the mean size of each feature's part, largest first, in the model's own scale.

    It is taken over 2000 rows at most and, where there are several classes, over these too.
    """
    rows = np.arange(len(table))
    if len(rows) > _MOST_ROWS:
        chosen = np.random.default_rng(seed).choice(rows, _MOST_ROWS, replace=False)
        rows = np.sort(chosen)
    shares = np.abs(model.attribute(table.features.iloc[rows]))
    means = shares.reshape(-1, shares.shape[-1]).mean(axis=0)
    named = zip(table.features.columns, means, strict=True)
    return {
        str(name): float(mean) for name, mean in sorted(named, key=lambda pair: (-pair[1], pair[0]))
    }


def draw(importance: Mapping[str, float], *, of: str) -> bytes:
    """Draw a bar for each of the leading features, as PNG."""
    shown = list(importance.items())[:_SHOWN][::-1]
    figure = Figure(figsize=(7, 1 + 0.3 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh([name[:40] for name, _ in shown], [value for _, value in shown], color="#2f6f9f")
    axes.set_xlabel(f"mean size of: {of}")
    axes.spines[["top", "right"]].set_visible(False)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()
