"""MLflow's users and what they may do, over the API that its `basic-auth` adds."""

from collections.abc import AsyncIterator, Mapping
from typing import Final, Literal

from fairlead_operator.mlflow.client import MlflowClient

_USERS: Final = "fairlead/"  # of these the chart's `fairlead_tenants.py` knows what they may call
_MAY_WRITE: Final = "EDIT"  # and read; not delete, nor give rights to others
_ENOUGH: Final = frozenset({_MAY_WRITE, "MANAGE"})
_PAGE: Final = 1000

Kind = Literal["experiment", "registered_model"]


def name_user(namespace: str) -> str:
    """Return the user as which the pods of a namespace sign in."""
    return f"{_USERS}{namespace}"


def name_users(namespace: str) -> tuple[str, str]:
    """Return this user and another of the namespace, which take turns as passwords age."""
    return name_user(namespace), f"{name_user(namespace)}/2"


class MlflowDirectory:
    """``logins.Directory`` on a real MLflow, whose administrator the client is."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    async def have_user(self, name: str, password: str) -> None:
        body = {"username": name, "password": password}
        if await self._client.call("GET", "users/get", params={"username": name}) is None:
            await self._client.call("POST", "users/create", json=body)
        else:
            await self._client.call("PATCH", "users/update-password", json=body)

    async def remove_user(self, name: str) -> None:
        await self._client.call("DELETE", "users/delete", json={"username": name})

    async def hand_over(self, before: str, name: str) -> None:
        """Let the user do what another may, also by rights that an administrator gave."""
        has, wanted = await self._rights(name), await self._rights(before)
        for (kind, key), permission in wanted.items():
            right = {"username": name, "resource_type": kind, "resource_id": key}
            if (kind, key) not in has:
                await self._change("grant", {**right, "permission": permission})

    async def have_model(self, *, experiment: str, registered_model: str) -> None:
        wanted = {"experiment_name": experiment}
        if await self._client.call("GET", "experiments/get-by-name", params=wanted) is None:
            await self._client.call("POST", "experiments/create", json={"name": experiment})
        name = {"name": registered_model}
        if await self._client.call("GET", "registered-models/get", params=name) is None:
            await self._client.call("POST", "registered-models/create", json=name)

    async def grant_all(self, name: str, namespace: str) -> None:
        has = await self._rights(name)
        async for kind, key in self._belongings(namespace):
            right = {"username": name, "resource_type": kind, "resource_id": key}
            permission = has.get((kind, key))
            if permission in _ENOUGH:
                continue
            if permission is not None:  # a second one is refused
                await self._change("revoke", right)
            await self._change("grant", {**right, "permission": _MAY_WRITE})

    async def _change(self, verb: str, right: Mapping[str, str]) -> None:
        await self._client.call("POST", f"users/permissions/{verb}", json=right, version="3.0")

    async def _rights(self, name: str) -> Mapping[tuple[str, str], str]:
        answer = await self._client.call(
            "GET", "users/permissions/list", params={"username": name}, version="3.0"
        )
        rights = (answer or {}).get("permissions", [])
        return {
            (right["resource_type"], right["resource_pattern"]): right["permission"]
            for right in rights
        }

    async def _belongings(self, namespace: str) -> AsyncIterator[tuple[Kind, str]]:
        """Yield what has a name of this namespace; a filter alone may take `_` for any letter."""
        async for entry in self._search("experiments", f"{namespace}/"):
            yield "experiment", str(entry["experiment_id"])
        async for entry in self._search("registered-models", f"{namespace}."):
            yield "registered_model", str(entry["name"])

    async def _search(self, what: str, prefix: str) -> AsyncIterator[Mapping[str, object]]:
        asked = {"filter": f"name LIKE '{prefix}%'", "max_results": str(_PAGE)}
        while True:
            page = await self._client.call("GET", f"{what}/search", params=asked) or {}
            for entry in page.get(what.replace("-", "_"), []):
                if str(entry["name"]).startswith(prefix):
                    yield entry
            if not page.get("next_page_token"):
                return
            asked = {**asked, "page_token": str(page["next_page_token"])}
