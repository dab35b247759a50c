"""Read the cluster's objects.  Only reads: what a person does in the story is done by kubectl."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

T = TypeVar("T")
Object = Mapping[str, Any]

_GROUP, _VERSION = "fairlead.dev", "v1alpha1"
_TRIES = 5
_TIMEOUT = 30
_NOT_FOUND = 404


class Objects:
    """The objects of one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.namespace = namespace
        # The library's types do not know what these calls return.
        api: Any = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        self._custom: Any = client.CustomObjectsApi(api)
        self._core: Any = client.CoreV1Api(api)

    def model(self, name: str) -> Object:
        """Return the Model; it is empty when there is none."""
        return self._find("models", name)

    def training_run(self, name: str) -> Object:
        return self._find("trainingruns", name)

    def rollout(self, name: str) -> Object:
        return self._find("rollouts", name)

    def rollout_to(self, version: str, *, model: str | None = None) -> Object:
        """Return the newest Rollout to a version, of any Model unless named, or an empty one."""
        known = [
            item
            for item in self._list("rollouts")
            if item["spec"]["version"] == version and model in {None, item["spec"]["model"]}
        ]
        return max(known, key=lambda item: str(item["metadata"]["creationTimestamp"]), default={})

    def events(self, name: str) -> Sequence[Object]:
        """Return the Events about one object, as the API has them."""
        found = _patiently(
            lambda: (
                self._core.list_namespaced_event(
                    self.namespace,
                    field_selector=f"involvedObject.name={name}",
                    _preload_content=False,
                    _request_timeout=_TIMEOUT,
                ).data
            )
        )
        return list(json.loads(found)["items"])

    def _find(self, plural: str, name: str) -> Object:
        try:
            return _patiently(
                lambda: self._custom.get_namespaced_custom_object(
                    _GROUP, _VERSION, self.namespace, plural, name, _request_timeout=_TIMEOUT
                )
            )
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return {}
            raise

    def _list(self, plural: str) -> Sequence[Object]:
        found = _patiently(
            lambda: self._custom.list_namespaced_custom_object(
                _GROUP, _VERSION, self.namespace, plural, _request_timeout=_TIMEOUT
            )
        )
        return list(found["items"])


def status_of(item: Object) -> Object:
    """Return an object's status; it is empty before the operator has looked at it."""
    return item.get("status") or {}


def name_of(item: Object) -> str:
    return str(item["metadata"]["name"])


def _patiently(read: Callable[[], T]) -> T:
    """Read through a short hiccup of the API server."""
    for attempt in range(_TRIES):
        try:
            return read()
        except urllib3.exceptions.HTTPError:
            if attempt + 1 == _TRIES:
                raise
        except ApiException as error:
            if error.status is not None and 400 <= error.status < 500:
                raise
            if attempt + 1 == _TRIES:
                raise
        time.sleep(0.5)
    raise AssertionError("unreachable")
