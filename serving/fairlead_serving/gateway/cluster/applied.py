"""Tell the operator which routes are in force: keys of the ConfigMap `fairlead-gateway`.

One key per Model and gateway pod.  A report that cannot be written is tried again until it is
written or a newer one takes its place.
"""

import asyncio
import dataclasses
import json
import logging
from collections.abc import Mapping
from datetime import datetime

from fairlead_contract.cluster import GATEWAY, report_key
from fairlead_serving.gateway.cluster.backoff import Backoff
from fairlead_serving.gateway.cluster.kubernetes import ApiError, KubernetesClient
from fairlead_serving.gateway.routes.route import Route
from fairlead_serving.gateway.routes.trips import Tripped

logger = logging.getLogger(__name__)


def to_text(moment: datetime) -> str:
    """Write a time as reports have it: RFC 3339 in UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What is true of one Model in this pod's Envoy."""

    route: Route | None  # the one in force
    at: datetime  # since when
    error: str | None = None  # why the latest document is not, or not wholly, in force
    waiting: str | None = None  # what the latest document waits for, before it comes into force
    tripped: Tripped = dataclasses.field(default_factory=dict)  # what the guard has taken out

    def to_text(self) -> str:
        """Write the value of the key."""
        document: dict[str, object] = {
            "revision": self.route.revision if self.route else None,
            "weights": self.route.weights if self.route else {},
            "at": to_text(self.at),
        }
        if self.error is not None:
            document["error"] = self.error
        if self.waiting is not None:
            document["waiting"] = self.waiting
        if self.tripped:
            document["tripped"] = {
                version: trip.to_document() for version, trip in self.tripped.items()
            }
        return json.dumps(document)


def difference(
    wanted: Mapping[str, Applied],
    written: Mapping[str, str],
    *,
    pod: str,
    unchanged: frozenset[str] = frozenset(),
) -> dict[str, str | None]:
    """Build the `data` of a merge patch; `written` are this pod's keys, None removes one.

    A report that says the same but for its time is not written again, so that a restarted agent
    does not make old news look new.  Models that are `unchanged` are not even looked at.
    """
    patch: dict[str, str | None] = {}
    for model in wanted.keys() - unchanged:
        applied = wanted[model]
        key, text = report_key(model, pod), applied.to_text()
        if _timeless(written.get(key)) != _timeless(text):
            patch[key] = text
    kept = {report_key(model, pod) for model in wanted}
    patch.update((key, None) for key in written if key not in kept)
    return patch


def _timeless(text: str | None) -> object:
    try:
        document = json.loads(text or "")
    except ValueError:
        return None
    if isinstance(document, dict):
        document.pop("at", None)
    return document


class Reporter:
    """Writes the newest reports, in the background."""

    def __init__(self, client: KubernetesClient, *, namespace: str, pod: str) -> None:
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{GATEWAY}"
        self._pod = pod
        self._wanted: Mapping[str, Applied] = {}
        self._said: Mapping[str, Applied] = {}
        self._news = asyncio.Event()

    def report(self, applied: Mapping[str, Applied]) -> None:
        """Make these, by Model, the reports of this pod; all others of it go away."""
        self._wanted = dict(applied)
        self._news.set()

    async def run(self) -> None:
        """Write until cancelled."""
        backoff = Backoff()
        written: dict[str, str] | None = None
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                if written is None:
                    self._said, written = {}, await self._read()
                await self._write(written)
                backoff.reset()
            except ApiError as error:
                logger.warning("cannot report the applied routes, will try again: %s", error)
                written = None  # nobody knows for sure what was written
                self._news.set()
                await asyncio.sleep(backoff.next_delay(at_least=error.retry_after))

    async def _read(self) -> dict[str, str]:
        data = (await self._client.get(self._path)).get("data") or {}
        return {key: text for key, text in data.items() if key.endswith(f".{self._pod}")}

    async def _write(self, written: dict[str, str]) -> None:
        wanted = self._wanted
        unchanged = frozenset(
            model
            for model, each in wanted.items()
            if (said := self._said.get(model)) is each or said == each
        )
        patch = difference(wanted, written, pod=self._pod, unchanged=unchanged)
        if patch:
            await self._client.merge_patch(self._path, {"data": patch})
        self._said = wanted
        for key, text in patch.items():
            if text is None:
                written.pop(key, None)
            else:
                written[key] = text
