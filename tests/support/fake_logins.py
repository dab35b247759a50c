"""``ports.Logins`` that remembers who was admitted, and for which Model."""

import asyncio

from fairlead_operator.ports import Kube


class FakeLogins:
    def __init__(self, refusal: Exception | None = None, *, hangs: bool = False) -> None:
        self.admitted: list[tuple[str, str | None]] = []
        self.dismissed: list[str] = []
        self.asked = 0
        self._refusal = refusal
        self._hangs = hangs

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> None:
        self.asked += 1
        if self._hangs:
            await asyncio.Event().wait()
        if self._refusal is not None:
            raise self._refusal
        self.admitted.append((namespace, model))

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        self.dismissed.append(namespace)
