"""The API server as the command sees it: few calls, short timeouts, readable failures."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import urllib3
from kubernetes import client, config
from kubernetes.config import ConfigException

from fairlead_operator.api.group import GROUP, VERSION
from fairlead_operator.command.failures import CommandError, SilentError

Object = dict[str, Any]

_TIMEOUT: Final = (5, 20)  # seconds to connect, to answer
_PLURALS: Final = {"Model": "models", "Rollout": "rollouts", "TrainingRun": "trainingruns"}
_BUSY: Final = 429
_LAST_LINES: Final = 50  # of a log


class Cluster:
    """One namespace of a cluster, with the rights of the kubeconfig's user."""

    def __init__(self, connection: client.ApiClient, *, namespace: str, user: str) -> None:
        self.namespace = namespace
        self.connection = connection
        self._user = user
        self._objects = client.CustomObjectsApi(connection)

    @classmethod
    def connect(
        cls, *, kubeconfig: Path | None, context: str | None, namespace: str | None
    ) -> "Cluster":
        """Read the kubeconfig, as kubectl does; send nothing yet.

        Raises:
            CommandError: there is none, or it has no such context.
        """
        path = str(kubeconfig) if kubeconfig else None
        try:
            contexts, active = config.list_kube_config_contexts(path)
            chosen = next((entry for entry in contexts if entry["name"] == context), active)
            connection = config.new_client_from_config(path, context=context)
        except (ConfigException, OSError) as error:
            raise CommandError(
                f"cannot use the kubeconfig; check KUBECONFIG, --kubeconfig and --context: {error}"
            ) from error
        connection.configuration.retries = urllib3.Retry(1, backoff_factor=0.2)
        place = chosen["context"]
        return cls(
            connection,
            namespace=namespace or place.get("namespace") or "default",
            user=str(place.get("user", "")),
        )

    def model(self, name: str) -> Object:
        """Return the Model.

        Raises:
            CommandError: there is none.
        """
        model = self._get("Model", name)
        if model is None:
            raise CommandError(
                f"there is no Model {name} in namespace {self.namespace}; "
                "choose another namespace with --namespace"
            )
        return model

    def rollout(self, name: str) -> Object | None:
        """Return the Rollout, or None when there is none."""
        return self._get("Rollout", name)

    def training_run(self, name: str) -> Object | None:
        """Return the TrainingRun, or None when there is none."""
        return self._get("TrainingRun", name)

    def models(self, *, everywhere: bool = False) -> Sequence[Object]:
        """Return the Models of the namespace, or of all."""
        return self._list("Model", everywhere=everywhere)

    def rollouts(self, model: str) -> Sequence[Object]:
        """Return the Rollouts of a Model, oldest first."""
        theirs = [item for item in self._list("Rollout") if item["spec"].get("model") == model]
        return sorted(theirs, key=lambda item: str(item["metadata"].get("creationTimestamp", "")))

    def training_runs(self, model: str) -> Sequence[Object]:
        """Return the TrainingRuns of a Model."""
        return [item for item in self._list("TrainingRun") if item["spec"].get("model") == model]

    def annotate(self, kind: str, name: str, annotations: Mapping[str, str]) -> None:
        """Set annotations."""
        patch = {"metadata": {"annotations": dict(annotations)}}
        with self._words(f"annotate {kind} {name}"):
            self._objects.patch_namespaced_custom_object(
                *self._place(kind), name, patch, _request_timeout=_TIMEOUT
            )

    def create(self, manifest: Mapping[str, Any]) -> Object:
        """Create one of our objects; the server completes a ``generateName``.

        A field that an older release does not know is refused, and not left out.
        """
        kind = str(manifest["kind"])
        with self._words(f"create a {kind}"):
            return dict(
                self._objects.create_namespaced_custom_object(
                    *self._place(kind),
                    dict(manifest),
                    field_validation="Strict",
                    _request_timeout=_TIMEOUT,
                )
            )

    def delete(self, kind: str, name: str) -> None:
        """Delete one of our objects; one that is gone already is no trouble."""
        with self._words(f"delete {kind} {name}"):
            try:
                self._objects.delete_namespaced_custom_object(
                    *self._place(kind), name, _request_timeout=_TIMEOUT
                )
            except client.ApiException as error:
                if error.status != 404:
                    raise

    def logs(self, labels: Mapping[str, str], container: str) -> Sequence[str]:
        """Return the last lines that a container said in each pod with these labels."""
        pods = client.CoreV1Api(self.connection)
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        with self._words("read the log of a pod"):
            found = pods.list_namespaced_pod(
                self.namespace, label_selector=selector, _request_timeout=_TIMEOUT
            )
            # Not as the library reads it: a log of one line of JSON would come as Python writes it.
            answers = [
                pods.read_namespaced_pod_log(
                    pod.metadata.name,
                    self.namespace,
                    container=container,
                    tail_lines=_LAST_LINES,
                    _preload_content=False,
                    _request_timeout=_TIMEOUT,
                )
                for pod in found.items
            ]
            return [answer.data.decode(errors="replace") for answer in answers]

    def whoami(self) -> str:
        """Return the user the API server takes us for, or else the kubeconfig's."""
        review = client.AuthenticationV1Api(self.connection).create_self_subject_review
        with contextlib.suppress(client.ApiException, urllib3.exceptions.HTTPError):
            answer = review(client.V1SelfSubjectReview(), _request_timeout=_TIMEOUT)
            return str(answer.status.user_info.username)
        return self._user or "unknown"

    def _get(self, kind: str, name: str) -> Object | None:
        with self._words(f"read {kind} {name}"):
            try:
                return dict(
                    self._objects.get_namespaced_custom_object(
                        *self._place(kind), name, _request_timeout=_TIMEOUT
                    )
                )
            except client.ApiException as error:
                # Without a body of its own, it is the kind that is not there.
                if error.status == 404 and f'"{name}"' in str(error.body):
                    return None
                raise

    def _list(self, kind: str, *, everywhere: bool = False) -> Sequence[Object]:
        objects = self._objects
        with self._words(f"list {kind}s"):
            collection = (
                objects.list_cluster_custom_object(
                    GROUP, VERSION, _PLURALS[kind], _request_timeout=_TIMEOUT
                )
                if everywhere
                else objects.list_namespaced_custom_object(
                    *self._place(kind), _request_timeout=_TIMEOUT
                )
            )
        return list(collection["items"])

    def _place(self, kind: str) -> tuple[str, str, str, str]:
        return GROUP, VERSION, self.namespace, _PLURALS[kind]

    @contextlib.contextmanager
    def _words(self, doing: str) -> Iterator[None]:
        """Turn failures into errors that a person can read."""
        try:
            yield
        except client.ApiException as error:
            kind = SilentError if error.status >= 500 or error.status == _BUSY else CommandError
            raise kind(f"cannot {doing}: {explain(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            host = self.connection.configuration.host
            raise SilentError(f"cannot {doing}: {host} did not answer: {_cause(error)}") from error


def explain(error: client.ApiException) -> str:
    """Return what the API server said, or what its silence means."""
    message = ""
    with contextlib.suppress(ValueError, AttributeError):
        message = str(json.loads(error.body or "{}").get("message", ""))
    if error.status == 401:
        return "the cluster did not accept the kubeconfig's credentials (401); log in again"
    if error.status == 404 and not message:
        return (
            "Fairlead is not installed in this cluster (it has no such CRD); install the chart, "
            "or choose another cluster with --context"
        )
    return message or f"{error.status} {error.reason}"


def _cause(error: BaseException) -> str:
    """Return the innermost message of urllib3's nested errors."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    text = str(error)
    return text.rpartition(": ")[2] or type(error).__name__
