"""``ports.Logins`` that remembers who was admitted, and for which Model."""

from fairlead_operator.ports import Kube


class FakeLogins:
    def __init__(self, refusal: Exception | None = None) -> None:
        self.admitted: list[tuple[str, str | None]] = []
        self.dismissed: list[str] = []
        self._refusal = refusal

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.admitted.append((namespace, model))

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        self.dismissed.append(namespace)
