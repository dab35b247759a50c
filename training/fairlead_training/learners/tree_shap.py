"""Exact tree SHAP values (Lundberg et al. 2020) of scikit-learn's trees, by XGBoost's code.

A tree is written in XGBoost's documented JSON form, with the rows of each node as its cover.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xgboost

from fairlead_training.metrics import Floats

_LEAF: Final = -1
_NO_PARENT: Final = 2**31 - 1


def round_down(tree: Any) -> None:
    """Let a tree ask of numbers of 32 bits what 32 bits can hold, which changes no answer.

    A row goes left where its value is at most the threshold.  Rounded up, a threshold between two
    numbers of 32 bits would let the upper one go left as well.
    """
    tree.threshold[:] = floor_32(np.asarray(tree.threshold))


def floor_32(values: Floats) -> Floats:
    """Return the largest numbers of 32 bits that are not above these."""
    rounded = values.astype(np.float32)
    below = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > values, below, rounded).astype(np.float64)


def explain_forest(trees: Sequence[Any], features: Floats) -> npt.NDArray[np.floating[Any]]:
    """Return each feature's part in the mean of the trees: rows, outputs, features."""
    rows = xgboost.DMatrix(features.astype(np.float32))
    document = _empty_model(features.shape[1])
    outputs = _values(trees[0]).shape[1]
    parts = []
    for output in range(outputs):
        model = document["learner"]["gradient_booster"]["model"]
        model["trees"] = [
            _write(tree, number, output, len(trees), features.shape[1])
            for number, tree in enumerate(trees)
        ]
        model["tree_info"] = [0] * len(trees)
        model["iteration_indptr"] = list(range(len(trees) + 1))
        model["gbtree_model_param"] = {"num_parallel_tree": "1", "num_trees": str(len(trees))}
        booster = xgboost.Booster(model_file=bytearray(json.dumps(document).encode()))
        parts.append(booster.predict(rows, pred_contribs=True)[:, :-1])
    stacked: npt.NDArray[np.floating[Any]] = np.stack(parts, axis=1)
    return stacked


def _empty_model(width: int) -> dict[str, Any]:
    """Return the document of a model that answers 0."""
    rows = xgboost.DMatrix(np.zeros((2, width)), label=np.zeros(2))
    booster = xgboost.train({"base_score": 0.0, "verbosity": 0}, rows, 1)
    document: dict[str, Any] = json.loads(booster.save_raw("json"))
    return document


def _values(tree: Any) -> Floats:
    """Return what each node answers: shares of the classes, or the value."""
    values: Floats = tree.value[:, 0, :]
    return values


def _write(tree: Any, number: int, output: int, trees: int, width: int) -> dict[str, Any]:
    nodes = tree.node_count
    left, right = tree.children_left, tree.children_right
    is_leaf = left == _LEAF
    parents = np.full(nodes, _NO_PARENT)
    inner = np.flatnonzero(~is_leaf)
    parents[left[inner]] = inner
    parents[right[inner]] = inner
    value = _values(tree)[:, output] / trees
    # XGBoost goes left below the condition, scikit-learn up to its threshold.
    threshold = np.nextafter(tree.threshold.astype(np.float32), np.float32(np.inf))
    return {
        "base_weights": value.tolist(),
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "default_left": [0] * nodes,
        "id": number,
        "left_children": left.tolist(),
        "loss_changes": [0.0] * nodes,
        "parents": parents.tolist(),
        "right_children": right.tolist(),
        "split_conditions": np.where(is_leaf, value, threshold).tolist(),
        "split_indices": np.where(is_leaf, 0, tree.feature).tolist(),
        "split_type": [0] * nodes,
        "sum_hessian": tree.weighted_n_node_samples.tolist(),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(width),
            "num_nodes": str(nodes),
            "size_leaf_vector": "1",
        },
    }
