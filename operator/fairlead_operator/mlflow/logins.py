"""What the pods of a namespace sign in to MLflow with, where the operator sees to it."""

import asyncio
import collections
import dataclasses
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from fairlead_contract.mlflow import SECRET, SECRET_CERTIFICATES, Access
from fairlead_operator.api.group import ANNOTATION_MADE, name_registered_model
from fairlead_operator.api.phases.training_run import ENDED
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.kube.mlflow_secret import build_mlflow_secret
from fairlead_operator.kube.owned import bind_to_state, is_ours, remove_owned
from fairlead_operator.kube.secret_data import encode, read_text
from fairlead_operator.mlflow.directory import name_users
from fairlead_operator.ports import Kube
from fairlead_operator.renewal import SPREAD, Step, Turns, decide, read_moment

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

    async def hand_over(self, before: str, name: str) -> None:
        """Let the user do what another may."""

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

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> str | None:
        await self._tidy(namespace, kube)
        return None

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
        is_user = read_text(secret, "username") in name_users(namespace)
        is_copy = bool(self._operators) and (secret or {}).get("data") == self._operators
        return is_user or is_copy


class SharedLogins:
    """``ports.Logins`` that gives every namespace what the operator itself has."""

    def __init__(self, access: Access) -> None:
        self._contents = read_contents(access)
        self._handed = _Handed()

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> str | None:
        if model is None and await self._handed.is_there(namespace, kube):
            return None
        secret = build_mlflow_secret(namespace, self._contents)
        await kube.apply(secret)
        self._handed.note(secret)
        return None

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        self._handed.forget(namespace)
        await remove_owned(build_mlflow_secret(namespace, {}), kube)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """As whom the pods of a namespace sign in, and since when, as ISO has it."""

    user: str
    password: str = dataclasses.field(repr=False)
    made: str | None
    is_new: bool = False  # not what the Secret says

    def manifest(self, namespace: str) -> dict[str, Any]:
        secret = build_mlflow_secret(namespace, {"username": self.user, "password": self.password})
        annotations = {} if self.made is None else {ANNOTATION_MADE: self.made}
        return {**secret, "metadata": {**secret["metadata"], "annotations": annotations}}


class OwnLogins:
    """``ports.Logins`` with a user for each namespace, and a password that nobody else has.

    MLflow knows one password of a user.  So one that is old enough gives way to another user, and
    what signed in before goes on until pods have the other and no training began with it.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        now: Callable[[], datetime],
        age: timedelta | None = None,
    ) -> None:
        self._directory = directory
        self._age = age
        self._now = now
        self._renewals = Turns()
        self._handed = _Handed()
        self._alone: dict[str, str] = {}  # the only user that there is of a namespace
        self._turns: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._silent_until = 0.0  # by the loop's clock
        self._silence: TransientError | None = None

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> str | None:
        # One after the other: two that make a password would each give the user another.
        async with self._turns[namespace]:
            secret, now = await kube.get("Secret", namespace, SECRET), self._now()
            account = _read_account(namespace, secret, now)
            step = self._choose(namespace, account, now)
            given = step is Step.STAY and await self._handed.is_there(namespace, kube)
            if given and model is None:
                await self._end_other(namespace, account, kube, now)
                return None
            self._refuse_in_silence()
            if step is Step.TELL and model is None and not account.is_new:
                return await self._renew(namespace, account, secret, kube, now)
            if step is Step.COUNT:
                account = dataclasses.replace(account, made=_write_moment(now))
            if account.is_new and (secret is not None or namespace in self._handed):
                # First: once there is a Secret again, nothing tells that both were to end.
                await self._ask(self._directory.remove_user(_other(namespace, account.user)))
            manifest = account.manifest(namespace)
            await kube.apply(manifest)
            await self._ask(self._directory.have_user(account.user, account.password))
            # How much there is to read is the namespace's to say, and no reason for others to wait.
            await self._give(namespace, account.user, model)
            await self._end_other(namespace, account, kube, now)
            self._handed.note(manifest)
            return None

    def _choose(self, namespace: str, account: _Account, now: datetime) -> Step:
        has_turn = self._renewals.is_free(namespace, now)
        made = read_moment(account.made)
        return decide(made, None, now=now, age=self._age, has_turn=has_turn)

    async def _renew(
        self,
        namespace: str,
        before: _Account,
        secret: Mapping[str, Any] | None,
        kube: Kube,
        now: datetime,
    ) -> str:
        """Let the pods sign in as the other user from now on."""
        self._renewals.take(namespace, now, age=self._age)
        user = _other(namespace, before.user)
        account = _Account(
            user=user, password=secrets.token_hex(_BYTES), made=_write_moment(now), is_new=True
        )
        self._alone.pop(namespace, None)
        # First, so that no pod reads what does not open yet.
        await self._ask(self._directory.have_user(user, account.password))
        await self._directory.hand_over(before.user, user)
        await self._directory.grant_all(user, namespace)
        manifest = account.manifest(namespace)
        await kube.apply(bind_to_state(manifest, secret))
        self._handed.note(manifest)
        _LOGGER.info("user of a namespace renewed in MLflow", extra={"namespace": namespace})
        return f"pods sign in to MLflow as {user} from now on, and {before.user} ends"

    async def _ask(self, work: Awaitable[None]) -> None:
        try:
            await work
        except TransientError as error:
            self._note_silence(error)
            raise
        except asyncio.CancelledError:  # whoever asked waits no longer
            self._note_silence(TransientError("MLflow has not answered in time"))
            raise
        self._silence = None

    async def _end_other(
        self, namespace: str, account: _Account, kube: Kube, now: datetime
    ) -> None:
        """Remove the other user, once nobody is left who signed in as that one."""
        if self._alone.get(namespace) == account.user:
            return
        made = None if account.is_new else read_moment(account.made)
        if made is not None and await _is_in_use(made, namespace, kube, now):
            return
        await self._directory.remove_user(_other(namespace, account.user))
        self._alone[namespace] = account.user

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        async with self._turns[namespace]:
            name = build_mlflow_secret(namespace, {})
            secret = await kube.get("Secret", namespace, SECRET)
            has_secret = secret is not None and is_ours(name, secret)
            if has_secret or namespace in self._handed:
                for user in name_users(namespace):
                    await self._directory.remove_user(user)
                self._handed.forget(namespace)
                self._alone.pop(namespace, None)
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


def _read_account(namespace: str, secret: Mapping[str, Any] | None, now: datetime) -> _Account:
    """Return what the Secret says; where nothing of it can be kept, another password."""
    first, _ = users = name_users(namespace)
    user, password = read_text(secret, "username"), _read_password(secret)
    if password is None:
        password = secrets.token_hex(_BYTES)
        return _Account(user=first, password=password, made=_write_moment(now), is_new=True)
    annotations = (secret or {"metadata": {}})["metadata"].get("annotations") or {}
    made: str | None = annotations.get(ANNOTATION_MADE)
    if user not in users:
        return _Account(user=first, password=password, made=made, is_new=True)
    return _Account(user=user, password=password, made=made)


def _other(namespace: str, user: str) -> str:
    first, second = name_users(namespace)
    return first if user == second else second


async def _is_in_use(made: datetime, namespace: str, kube: Kube, now: datetime) -> bool:
    """Tell whether pods may still sign in as who was renewed then: trainers do as they began."""
    return now - made < SPREAD or any(
        began is not None and began <= made
        for run in await kube.list("TrainingRun", namespace, {})
        if (run.get("status") or {}).get("phase") not in ENDED
        for began in (read_moment(run["metadata"].get("creationTimestamp")),)
    )


def _write_moment(now: datetime) -> str:
    return now.isoformat(timespec="seconds")
