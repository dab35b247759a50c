"""What the pods of a namespace sign in to MLflow with, where the operator sees to it."""

import asyncio
import collections
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from fairlead_contract.mlflow import SECRET, SECRET_CERTIFICATES, Access
from fairlead_operator.api.group import name_registered_model
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.mlflow_secret import build_mlflow_secret
from fairlead_operator.kube.owned import is_ours, remove_owned
from fairlead_operator.kube.secret_data import read_text
from fairlead_operator.mlflow.directory import name_user
from fairlead_operator.ports import Kube

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


class SharedLogins:
    """``ports.Logins`` that gives every namespace what the operator itself has."""

    def __init__(self, access: Access) -> None:
        self._contents = read_contents(access)

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> None:
        await kube.apply(build_mlflow_secret(namespace, self._contents))

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        await remove_owned(build_mlflow_secret(namespace, {}), kube)


class OwnLogins:
    """``ports.Logins`` with a user for each namespace, and a password that nobody else has."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._admitted: set[str] = set()
        self._turns: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._silent_until = 0.0  # by the loop's clock
        self._silence: TransientError | None = None

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> None:
        # One after the other: two that make a password would each give the user another.
        async with self._turns[namespace]:
            if model is None and namespace in self._admitted:
                return
            self._refuse_in_silence()
            user = name_user(namespace)
            secret = await kube.get("Secret", namespace, SECRET)
            password = _read_password(secret) or secrets.token_hex(_BYTES)
            contents = {"username": user, "password": password}
            await kube.apply(build_mlflow_secret(namespace, contents))
            try:
                await self._give(namespace, user, password, model)
            except TransientError as error:
                self._note_silence(error)
                raise
            except asyncio.CancelledError:  # whoever asked waits no longer
                self._note_silence(TransientError("MLflow has not answered in time"))
                raise
            self._silence = None
            self._admitted.add(namespace)

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        async with self._turns[namespace]:
            name = build_mlflow_secret(namespace, {})
            secret = await kube.get("Secret", namespace, SECRET)
            has_secret = secret is not None and is_ours(name, secret)
            if has_secret or namespace in self._admitted:
                await self._directory.remove_user(name_user(namespace))
                self._admitted.discard(namespace)
            # The last: by it a process that starts anew knows that there is a user.
            if has_secret:
                await remove_owned(name, kube)

    async def _give(self, namespace: str, user: str, password: str, model: str | None) -> None:
        await self._directory.have_user(user, password)
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
