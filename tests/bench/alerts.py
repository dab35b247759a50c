"""Alerts about a version, posted to the operator as Alertmanager posts them."""

import json
import time
import urllib.request

from bench.installed import NAMESPACE, Place
from e2e.story.errors import StoryError, expect


class Alerts:
    """The operator's webhook."""

    def __init__(self, place: Place) -> None:
        self._url = f"{place.expose_webhook()}/alerts"
        self._token = place.webhook_token()

    def fire(self, model: str, version: str, summary: str) -> float:
        """Ask for a rollback; return the seconds until the answer.

        Raises:
            StoryError: the operator did not take it as a reason to roll back.
        """
        request = urllib.request.Request(
            self._url,
            data=json.dumps(build_alert(model, version, summary)).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self._token}",
            },
        )
        begin = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = json.load(response)
        except OSError as error:
            raise StoryError(f"the webhook refused the alert: {error}") from error
        seconds = time.perf_counter() - begin
        outcomes = [alert["outcome"] for alert in answer["alerts"]]
        expect(outcomes == ["rollback"], "the webhook to answer rollback", answer)
        return seconds


def build_alert(model: str, version: str, summary: str) -> dict[str, object]:
    """What Alertmanager posts, as docs/contracts.md §5 has it.  Pure."""
    labels = {
        "alertname": "BenchAlert",
        "fairlead_action": "rollback",
        "model_namespace": NAMESPACE,
        "model": model,
        "version": version,
    }
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": summary},
    }
    return {"version": "4", "status": "firing", "receiver": "fairlead", "alerts": [alert]}
