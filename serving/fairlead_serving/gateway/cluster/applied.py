"""Tell the operator which routes are in force: keys of the ConfigMap `fairlead-gateway`.

One key per Model and gateway pod.  A report that cannot be written is tried again until it is
written or a newer one takes its place.  The ConfigMap is watched, so what somebody deletes of it is
written again.
"""

import asyncio
import dataclasses
import json
import logging
from collections.abc import Mapping
from datetime import datetime

from fairlead_contract.cluster import GATEWAY, report_key
from fairlead_serving.gateway.cluster.backoff import Backoff
from fairlead_serving.gateway.cluster.kubernetes import ApiError, KubernetesClient, Manifest
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
        self._wanted: Mapping[str, Applied] | None = None  # None: nothing is known yet
        self._said: Mapping[str, Applied] = {}
        self._written: dict[str, str] = {}  # this pod's keys
        self._is_sure = False  # that these are the keys that are there
        self._news = asyncio.Event()

    def report(self, applied: Mapping[str, Applied]) -> None:
        """Make these, by Model, the reports of this pod; all others of it go away."""
        self._wanted = dict(applied)
        self._news.set()

    def see(self, config_maps: Mapping[str, Manifest]) -> None:
        """Take the ConfigMap as it is, among copies of it; look again where it is not as written.

        Somebody may have deleted it, and it was made anew and empty.  While there is none, the one
        that comes is news.
        """
        found = config_maps.get(GATEWAY)
        if found is not None and self._own(found) != self._written:
            self._is_sure = False  # or older than what was written last, which a look tells
            self._news.set()

    async def run(self) -> None:
        """Write until cancelled."""
        backoff = Backoff()
        while True:
            await self._news.wait()
            self._news.clear()
            if self._wanted is None:
                continue
            try:
                await self._write(self._wanted)
                backoff.reset()
            except ApiError as error:
                logger.warning("cannot report the applied routes, will try again: %s", error)
                self._is_sure = False  # nobody knows for sure what was written
                self._news.set()
                await asyncio.sleep(backoff.next_delay(at_least=error.retry_after))

    def _own(self, config_map: Manifest) -> dict[str, str]:
        data = config_map.get("data") or {}
        return {key: text for key, text in data.items() if key.endswith(f".{self._pod}")}

    async def _write(self, wanted: Mapping[str, Applied]) -> None:
        if not self._is_sure:
            self._is_sure, self._said = True, {}  # what is seen from now on may be newer
            self._written = self._own(await self._client.get(self._path))
        unchanged = frozenset(
            model
            for model, each in wanted.items()
            if (said := self._said.get(model)) is each or said == each
        )
        patch = difference(wanted, self._written, pod=self._pod, unchanged=unchanged)
        # Before it is sent: the watch may tell of it before its answer is here.
        for key, text in patch.items():
            if text is None:
                self._written.pop(key, None)
            else:
                self._written[key] = text
        if patch:
            await self._client.merge_patch(self._path, {"data": patch})
        self._said = wanted
