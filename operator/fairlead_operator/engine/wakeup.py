"""Maps a change to the keys that must be looked at.  No I/O; fed by the watches.

A Rollout is looked at when it, its Model, or anything with the Model's label changes,
but only while it is in flight or is the Model's current one: Rollouts that ended
long ago cost nothing.  ``head_start`` says who is looked at first when many wait: what goes
back does not queue behind a thousand Models that an operator looks at when it starts.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fairlead_operator.api.group import (
    GATEWAY_NAME,
    LABEL_COMPONENT,
    LABEL_MODEL,
    LABEL_TRAINING_RUN,
)
from fairlead_operator.api.phases import rollout, training_run
from fairlead_operator.keys import Key
from fairlead_operator.kube.pods import is_ready, read_refusal
from fairlead_operator.report import read_failures
from fairlead_operator.requests import Action

_ENDED: Final[Mapping[str, frozenset[str]]] = {
    "Rollout": rollout.ENDED,
    "TrainingRun": training_run.ENDED,
}
# Seconds.  A new version without traffic yet takes none away from anybody, so it has none.
_FIRST: Final = 10.0
_USUAL: Final = 5.0
_NO_TRAFFIC: Final = frozenset({None, rollout.Phase.PENDING})
_BACK: Final = frozenset({rollout.Trigger.RESTORED, rollout.Trigger.ROLLBACK})
_GIVEN_UP: Final = frozenset({Action.ABORT.annotation, Action.SUPERSEDE.annotation})


class Wakeup:
    """Remembers which objects belong together."""

    def __init__(self) -> None:
        self._live: dict[tuple[str, str], set[str]] = {}  # unfinished Rollouts of a Model
        self._current: dict[tuple[str, str], str] = {}  # the Rollout a Model names
        self._head_starts: dict[Key, float] = {}  # of Rollouts in flight
        self._runs: dict[tuple[str, str], set[str]] = {}  # unfinished TrainingRuns of a Model
        self._reports: dict[str, dict[str, str]] = {}  # what gateway pods said, by namespace
        # By namespace and name, what an ended Rollout reads of its Model.
        self._models: dict[str, dict[str, tuple[object, ...]]] = {}
        self._answering: dict[str, set[str]] = {}  # gateway pods that are ready, by namespace
        self._parts: dict[tuple[str, str], int] = {}  # generations of gateway parts
        self._lacking: dict[str, tuple[bool, bool]] = {}  # whether gateways lack pods, or may not

    def keys_for(self, body: Mapping[str, Any], *, deleted: bool) -> set[Key]:
        """Return whom this object's change concerns."""
        meta = body["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        match body["kind"]:
            case "Model":
                return self._model_changed(body, namespace, name, deleted=deleted)
            case "Rollout":
                model = body["spec"]["model"]
                self._note(self._live, body, (namespace, model), deleted=deleted)
                self._note_head_start(body, deleted=deleted)
                return {Key("Rollout", namespace, name), Key("Model", namespace, model)}
            case "TrainingRun":
                model = body["spec"]["model"]
                self._note(self._runs, body, (namespace, model), deleted=deleted)
                keys = {Key("TrainingRun", namespace, name), Key("Model", namespace, model)}
                left = deleted and not has_ended(body)
                return keys | {Key.of_trainings(namespace)} if left else keys
            case "AnalysisTemplate":
                return self._moving(namespace)
            case "Secret":
                return self._login_changed(namespace, deleted=deleted)
            case "ConfigMap" if name == GATEWAY_NAME and not deleted:
                told = self._gateway_reported(namespace, body.get("data") or {})
                if not body.get("immutable"):
                    return told
                # Nobody can report in it any more: a Model's look exchanges it.
                return told | {
                    Key("Model", namespace, each) for each in self._models.get(namespace, ())
                }
        if (meta.get("labels") or {}).get(LABEL_COMPONENT) == "gateway" or name == GATEWAY_NAME:
            return self._gateway_changed(body, namespace, deleted=deleted)
        return self._child_changed(meta)

    def head_start(self, key: Key) -> float:
        """Return the seconds by which a key goes before what came earlier."""
        return self._head_starts.get(key, _USUAL)

    def rollouts_of(self, namespace: str, model: str) -> set[Key]:
        """Return the Rollouts of a Model that can still move, and its current one."""
        rollouts = self._live_of(namespace, model)
        if (namespace, model) in self._current:
            rollouts.add(Key("Rollout", namespace, self._current[namespace, model]))
        return rollouts

    def _live_of(self, namespace: str, model: str) -> set[Key]:
        """Return the Rollouts of a Model that have not ended."""
        return {Key("Rollout", namespace, name) for name in self._live.get((namespace, model), ())}

    def _moving(self, namespace: str) -> set[Key]:
        """Return the Rollouts of every Model in the namespace that has one in flight."""
        return set().union(
            *(self.rollouts_of(*owner) for owner in self._live if owner[0] == namespace)
        )

    def _model_changed(
        self, body: Mapping[str, Any], namespace: str, name: str, *, deleted: bool
    ) -> set[Key]:
        owner = (namespace, name)
        models = self._models.setdefault(namespace, {})
        status = body.get("status") or {}
        current = None if deleted else status.get("rollout")
        # The spec, which Rollout is the current one, and what is refused: that says why no
        # prediction is kept.  Nothing else of the status.
        read = (int(body["metadata"].get("generation", 0)), current, read_failures(status))
        is_read = models.get(name) == read
        if deleted:
            models.pop(name, None)
        else:
            models[name] = read
        if current:
            self._current[owner] = current
        else:
            self._current.pop(owner, None)
        runs = {Key("TrainingRun", namespace, run) for run in self._runs.get(owner, ())}
        rollouts = (self._live_of if is_read else self.rollouts_of)(namespace, name)
        return {Key("Model", namespace, name)} | runs | rollouts

    def _child_changed(self, meta: Mapping[str, Any]) -> set[Key]:
        labels, namespace = meta.get("labels") or {}, meta["namespace"]
        if labels.get(LABEL_COMPONENT) == "address" and LABEL_MODEL in labels:
            return {Key("Model", namespace, labels[LABEL_MODEL])}
        if LABEL_TRAINING_RUN in labels:
            return {Key("TrainingRun", namespace, labels[LABEL_TRAINING_RUN])}
        if LABEL_MODEL in labels:
            return self.rollouts_of(namespace, labels[LABEL_MODEL])
        return set()

    def _gateway_changed(
        self, body: Mapping[str, Any], namespace: str, *, deleted: bool
    ) -> set[Key]:
        """Return whom a gateway pod, or a part of the gateway that all Models apply, concerns."""
        moving = self._moving(namespace)
        tidy = Key.of_namespace(namespace)
        if body["kind"] == "Pod":
            flips = self._gateway_flips(body, namespace, deleted=deleted)
            concerned = self._current_of(namespace) | moving if flips else moving
            return concerned | {tidy} if deleted else concerned
        models = {Key("Model", namespace, name) for name in self._models.get(namespace, ())}
        if not models:
            return {tidy}
        if body["kind"] == "Deployment" and self._gateway_lacks(body, namespace):
            concerned = moving | models | self._current_of(namespace)
        else:
            concerned = moving
        part = (namespace, body["kind"])
        generation = int(body["metadata"].get("generation", 0))
        changed = deleted or self._parts.get(part, generation) != generation
        self._parts[part] = generation
        return concerned | models if changed else concerned

    def _login_changed(self, namespace: str, *, deleted: bool) -> set[Key]:
        """Return whose pods read the namespace's Secret; without Models it is to be removed."""
        models = {Key("Model", namespace, name) for name in self._models.get(namespace, ())}
        return models or (set() if deleted else {Key.of_namespace(namespace)})

    def _gateway_lacks(self, deployment: Mapping[str, Any], namespace: str) -> bool:
        """Tell whether the gateway begins or ends to lack pods, or to be refused some.

        While the old ones answer, no pod tells whom at rest it concerns.
        """
        missing = bool((deployment.get("status") or {}).get("unavailableReplicas"))
        now = (missing, read_refusal(deployment) is not None)
        before = self._lacking.get(namespace, (False, False))
        self._lacking[namespace] = now
        return now != before

    def _gateway_flips(self, pod: Mapping[str, Any], namespace: str, *, deleted: bool) -> bool:
        """Tell whether with this pod the gateway begins or ends to answer."""
        ready = self._answering.setdefault(namespace, set())
        before = bool(ready)
        (ready.add if is_ready(pod) and not deleted else ready.discard)(pod["metadata"]["name"])
        return bool(ready) != before

    def _current_of(self, namespace: str) -> set[Key]:
        """Return the current Rollout of every Model in the namespace."""
        return set().union(
            *(self.rollouts_of(namespace, name) for name in self._models.get(namespace, ()))
        )

    def _gateway_reported(self, namespace: str, data: Mapping[str, str]) -> set[Key]:
        before = self._reports.get(namespace)
        if before is None:  # some who reported may be gone since
            self._reports[namespace] = dict(data)
            return {Key.of_namespace(namespace)} | self._moving(namespace)
        changed = {key for key in data.keys() | before.keys() if data.get(key) != before.get(key)}
        self._reports[namespace] = dict(data)
        models = {key.rpartition(".")[0] for key in changed}
        return set().union(*(self.rollouts_of(namespace, model) for model in models))

    def _note_head_start(self, rollout: Mapping[str, Any], *, deleted: bool) -> None:
        key = Key("Rollout", rollout["metadata"]["namespace"], rollout["metadata"]["name"])
        if deleted or has_ended(rollout):
            self._head_starts.pop(key, None)
            return
        self._head_starts[key] = _FIRST if _is_urgent(rollout) else 0.0

    @staticmethod
    def _note(
        unfinished: dict[tuple[str, str], set[str]],
        body: Mapping[str, Any],
        owner: tuple[str, str],
        *,
        deleted: bool,
    ) -> None:
        names = unfinished.setdefault(owner, set())
        over = deleted or has_ended(body)
        (names.discard if over else names.add)(body["metadata"]["name"])
        if not names:
            unfinished.pop(owner)


def has_ended(body: Mapping[str, Any]) -> bool:
    """Tell whether a Rollout or TrainingRun has come to its end."""
    return (body.get("status") or {}).get("phase") in _ENDED[body["kind"]]


def _is_urgent(body: Mapping[str, Any]) -> bool:
    """Tell whether a Rollout in flight has traffic, brings what served before, or is given up."""
    if (body.get("status") or {}).get("phase") not in _NO_TRAFFIC:
        return True
    asked = (body["metadata"].get("annotations") or {}).keys()
    return body["spec"].get("trigger") in _BACK or not _GIVEN_UP.isdisjoint(asked)


def sort_keys(keys: Iterable[Key]) -> list[Key]:
    """Sort keys in a stated order: what moves traffic first."""
    order = {"Rollout": 0, "Model": 1, "TrainingRun": 2}
    return sorted(keys, key=lambda key: (order.get(key.kind, 9), key))
