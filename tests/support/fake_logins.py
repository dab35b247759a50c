"""``ports.Logins`` that remembers who was admitted, and MLflow's users in a dict."""

import asyncio

from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Kube


class FakeLogins:
    def __init__(self, refusal: Exception | None = None, *, hangs: bool = False) -> None:
        self.admitted: list[tuple[str, str | None]] = []
        self.dismissed: list[str] = []
        self.asked = 0
        self._refusal = refusal
        self._hangs = hangs

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> str | None:
        self.asked += 1
        if self._hangs:
            await asyncio.Event().wait()
        if self._refusal is not None:
            raise self._refusal
        self.admitted.append((namespace, model))
        return None

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        self.dismissed.append(namespace)


class FakeDirectory:
    """Users in a dict."""

    def __init__(self) -> None:
        self.users: dict[str, str] = {}
        self.models: list[tuple[str, str]] = []
        self.handed_over: list[tuple[str, str]] = []
        self.granted: list[tuple[str, str]] = []
        self.asked = 0
        self.fails: list[Exception] = []
        self.hangs = False
        self.crowded: set[str] = set()  # namespaces with more than can be read

    async def have_user(self, name: str, password: str) -> None:
        self.asked += 1
        await (asyncio.Event().wait() if self.hangs else asyncio.sleep(0))
        if self.fails:
            raise self.fails.pop(0)
        self.users[name] = password

    async def remove_user(self, name: str) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.users.pop(name, None)

    async def hand_over(self, before: str, name: str) -> None:
        self.handed_over.append((before, name))

    async def have_model(self, *, experiment: str, registered_model: str) -> None:
        self.models.append((experiment, registered_model))

    async def grant_all(self, name: str, namespace: str) -> None:
        if namespace in self.crowded:
            raise TransientError("mlflow: no answer")
        self.granted.append((name, namespace))
