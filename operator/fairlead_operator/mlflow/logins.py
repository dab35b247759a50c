"""What the pods of a namespace sign in to MLflow with, where the operator sees to it."""

import asyncio
import collections
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from fairlead_contract.mlflow import SECRET, SECRET_CERTIFICATES, Access
from fairlead_operator.api.group import name_registered_model
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.kube.mlflow_secret import build_mlflow_secret
from fairlead_operator.kube.owned import is_ours, remove_owned
from fairlead_operator.kube.secret_data import encode, read_text
from fairlead_operator.mlflow.directory import name_user
from fairlead_operator.ports import Kube

_LOGGER = logging.getLogger(__name__)
_BYTES: Final = 24  # of a password, as hex
_SHORTEST: Final = 12  # characters, as MLflow has it
_PAUSE: Final = 10.0  # seconds in which nobody asks an MLflow that has just not answered


class Directory(Protocol):
    """MLflow's users and what they may, as its administrator has them."""

    async def have_user(self, name: str, password: str) -> None:
        """Make the user, or give it this password."""

    async def remove_user(self, name: str) -> None:
        """Remove the user with its rights; do nothing when there is none."""

    async def have_model(self, *, experiment: str, registered_model: str) -> None:
        """Make what is not there."""

    async def grant_all(self, name: str, namespace: str) -> None:
        """Let the user write to every experiment and registered model of a namespace."""


class _Handed:
    """What this process gave to namespaces; the watch says whether they have it still."""

    def __init__(self) -> None:
        self._data: dict[str, Mapping[str, str]] = {}

    def note(self, manifest: Mapping[str, Any]) -> None:
        """Note what was written just now."""
        self._data[manifest["metadata"]["namespace"]] = manifest["data"]

    def forget(self, namespace: str) -> None:
        self._data.pop(namespace, None)

    def __contains__(self, namespace: object) -> bool:
        return namespace in self._data

    async def is_there(self, namespace: str, kube: Kube) -> bool:
        """Tell whether the namespace was given its Secret, and nobody has taken it away since."""
        if namespace not in self._data:
            return False
        secret = await kube.get("Secret", namespace, SECRET)
        return self._data[namespace].items() <= ((secret or {}).get("data") or {}).items()


class GivenLogins:
    """``ports.Logins`` where the platform puts the Secrets into the namespaces.

    What an earlier setting left there is removed: a user of the bundled MLflow, with which no other
    lets anybody in, or a copy of what the operator itself signs in with.
    """

    def __init__(self, access: Access) -> None:
        self._operators = encode(read_contents(access))
        self._tidied: set[str] = set()
        self._refused: set[str] = set()  # namespaces of which that was told

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> None:
        await self._tidy(namespace, kube)

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        await self._tidy(namespace, kube)

    async def _tidy(self, namespace: str, kube: Kube) -> None:
        if namespace in self._tidied:
            return
        try:
            secret = await kube.get("Secret", namespace, SECRET)
            if self._is_left(namespace, secret):
                await remove_owned(build_mlflow_secret(namespace, {}), kube)
        except ClusterRefusalError as error:  # no right to yet: nobody waits for that
            if namespace not in self._refused:
                _LOGGER.warning(
                    "what is left of MLflow's logins stays until it may be removed",
                    extra={"namespace": namespace, "error": str(error)},
                )
            self._refused.add(namespace)
        else:
            self._tidied.add(namespace)

    def _is_left(self, namespace: str, secret: Mapping[str, Any] | None) -> bool:
        """Tell by its content whether we made it: who writes over one of ours keeps our labels."""
        is_user = read_text(secret, "username") == name_user(namespace)
        is_copy = bool(self._operators) and (secret or {}).get("data") == self._operators
        return is_user or is_copy


class SharedLogins:
    """``ports.Logins`` that gives every namespace what the operator itself has."""

    def __init__(self, access: Access) -> None:
        self._contents = read_contents(access)
        self._handed = _Handed()

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> None:
        if model is None and await self._handed.is_there(namespace, kube):
            return
        secret = build_mlflow_secret(namespace, self._contents)
        await kube.apply(secret)
        self._handed.note(secret)

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        self._handed.forget(namespace)
        await remove_owned(build_mlflow_secret(namespace, {}), kube)


class OwnLogins:
    """``ports.Logins`` with a user for each namespace, and a password that nobody else has."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._handed = _Handed()
        self._turns: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._silent_until = 0.0  # by the loop's clock
        self._silence: TransientError | None = None

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> None:
        # One after the other: two that make a password would each give the user another.
        async with self._turns[namespace]:
            if model is None and await self._handed.is_there(namespace, kube):
                return
            self._refuse_in_silence()
            user = name_user(namespace)
            secret = await kube.get("Secret", namespace, SECRET)
            password = _read_password(secret) or secrets.token_hex(_BYTES)
            contents = {"username": user, "password": password}
            manifest = build_mlflow_secret(namespace, contents)
            await kube.apply(manifest)
            try:
                await self._directory.have_user(user, password)
            except TransientError as error:
                self._note_silence(error)
                raise
            except asyncio.CancelledError:  # whoever asked waits no longer
                self._note_silence(TransientError("MLflow has not answered in time"))
                raise
            self._silence = None
            # How much there is to read is the namespace's to say, and no reason for others to wait.
            await self._give(namespace, user, model)
            self._handed.note(manifest)

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        async with self._turns[namespace]:
            name = build_mlflow_secret(namespace, {})
            secret = await kube.get("Secret", namespace, SECRET)
            has_secret = secret is not None and is_ours(name, secret)
            if has_secret or namespace in self._handed:
                await self._directory.remove_user(name_user(namespace))
                self._handed.forget(namespace)
            # The last: by it a process that starts anew knows that there is a user.
            if has_secret:
                await remove_owned(name, kube)

    async def _give(self, namespace: str, user: str, model: str | None) -> None:
        if model is not None:
            await self._directory.have_model(
                experiment=f"{namespace}/{model}",
                registered_model=name_registered_model(namespace, model),
            )
        await self._directory.grant_all(user, namespace)

    def _note_silence(self, error: TransientError) -> None:
        self._silence = error
        self._silent_until = asyncio.get_running_loop().time() + _PAUSE

    def _refuse_in_silence(self) -> None:
        """Let nobody wait for an MLflow for which another has just waited in vain."""
        if self._silence is not None and asyncio.get_running_loop().time() < self._silent_until:
            raise TransientError(str(self._silence))


def read_contents(access: Access) -> dict[str, str]:
    """Return the keys of a Secret that lets others sign in as we do."""
    file = Path(access.certificates) if access.certificates else None
    contents = {
        "username": access.username,
        "password": access.password,
        "token": access.token,
        SECRET_CERTIFICATES: file.read_text("utf-8") if file and file.is_file() else "",
    }
    return {key: value for key, value in contents.items() if value}


def _read_password(secret: Mapping[str, Any] | None) -> str | None:
    """Return the password that the namespace has; None where there is none that can be kept."""
    text = read_text(secret, "password")
    return text if len(text) >= _SHORTEST and text.isascii() and text.isprintable() else None
