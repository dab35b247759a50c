"""Whether the versions that serve are still registered as they were, and bring code.

All of them are listed at once, now and then, into memory: nobody asks MLflow for a
quiet Model.  What is found changes nothing for traffic; a condition says it.  Tags are read for
those words alone, so a forged one can raise a false alarm and nothing more.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Registry

_LOGGER = logging.getLogger(__name__)
_EVERY: Final = 10.0  # seconds, so that what a person deletes is told at once
_SHARE: Final = 20  # times as long as a list takes MLflow it is left in peace


class Registrations:
    """The last list."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], RegisteredVersion] | None = None
        self._code: dict[tuple[str, str, str], str | None] = {}  # None: not read yet

    def take(self, versions: Mapping[tuple[str, str], RegisteredVersion]) -> set[str]:
        """Replace the list; return the registered models of which it says something else.

        The key is the registered model and its version's number.
        """
        before, self._versions = self._versions or {}, dict(versions)
        self._code = {key: code for key, code in self._code.items() if key[:2] in versions}
        changed = {key for key, _ in before.items() ^ self._versions.items()}
        return {registered_model for registered_model, _ in changed}

    def note(self, registered_model: str, registered: RegisteredVersion) -> None:
        """Put into the list what MLflow said of one since it was made."""
        if self._versions is not None:
            self._versions[registered_model, registered.registry_version] = registered

    def digests(self, registered_model: str, version: str) -> frozenset[str]:
        """Return the digests that registrations of a semantic version say; empty of one without.

        They only tell that it is worth asking: what becomes of a version is decided by
        ``versions.choose``.
        """
        return frozenset(
            registered.digest
            for (name, _), registered in (self._versions or {}).items()
            if (name, registered.version) == (registered_model, version)
        )

    def code(self, registered_model: str, reference: VersionReference) -> str | None:
        """Name what code of this version would run; empty for none, None: not read yet."""
        key = registered_model, reference.registry_version, reference.digest
        return self._code.setdefault(key, None)

    async def read_code(self, registry: Registry) -> AsyncIterator[str]:
        """Read of each version that somebody asked for whether it brings code.

        Yield the registered model of each as soon as it is read.  One that MLflow does not answer
        for is asked again with the next round, and keeps no other waiting until then.
        """
        for key in [key for key, code in self._code.items() if code is None]:
            name, number, _ = key
            try:
                code = await registry.code(name, number)
            except TransientError as error:
                _LOGGER.debug("MLmodel not read yet", extra={"error": str(error)})
                continue
            except ValueError as error:  # nor could a server read it
                _LOGGER.debug("MLmodel not read", extra={"error": str(error)})
                code = ""
            if key in self._code:  # else it left the list meanwhile
                self._code[key] = code
                yield name

    def problem(self, registered_model: str, reference: VersionReference) -> str | None:
        """Say what is wrong with this registration; empty when nothing is, None before a list."""
        if self._versions is None:
            return None
        number = reference.registry_version
        registered = self._versions.get((registered_model, number))
        named = f"registry version {number} of {registered_model} ({reference.version})"
        if registered is None:
            return (
                f"{named} was deleted: what serves goes on, but a new pod could not load it; "
                "register the version again, or roll out another"
            )
        if (registered.version, registered.digest) != (reference.version, reference.digest):
            return (
                f"{named} now says version {registered.version or 'none'} with digest "
                f"{registered.digest or 'none'}: what serves is as it was verified; set its tags "
                "back"
            )
        return ""


async def keep_listing(
    registrations: Registrations, registry: Registry, tell: Callable[[str, str], None]
) -> None:
    """Renew the list, and tell of which Models there is news; never return.

    While MLflow is away the last list stands.
    """
    clock = asyncio.get_running_loop().time
    while True:
        begin, changed = clock(), set[str]()
        try:
            changed = registrations.take(await registry.registrations())
        except TransientError as error:
            _LOGGER.debug("registrations not listed", extra={"error": str(error)})
        for registered_model in sorted(changed):
            _tell_of(registered_model, tell)
        await asyncio.sleep(max(_EVERY, _SHARE * (clock() - begin)))


async def keep_reading_code(
    registrations: Registrations, registry: Registry, tell: Callable[[str, str], None]
) -> None:
    """Read of new versions whether they bring code, and tell of their Models; never return.

    It is done beside the list, so that a slow file does not make that late.
    """
    while True:
        async for registered_model in registrations.read_code(registry):
            _tell_of(registered_model, tell)
        await asyncio.sleep(_EVERY)


def _tell_of(registered_model: str, tell: Callable[[str, str], None]) -> None:
    namespace, _, model = registered_model.partition(".")
    tell(namespace, model)
