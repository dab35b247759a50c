"""A login of its own for the pods of a namespace: in the database, and in a Secret for them.

The password in the Secret is the truth.  A login that is there follows it; for a new Secret the
login comes first, so that no pod reads what does not open anything yet.  Who is slower of two
meets a conflict, and takes up what the other wrote.
"""

import asyncio
import dataclasses
import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from fairlead_contract.cluster import SERVER
from fairlead_operator.api.group import DATABASE_SECRET
from fairlead_operator.errors import ConflictError, LoginNotAllowedError, TransientError
from fairlead_operator.kube.database_secret import (
    Logins,
    build_own_secret,
    build_shared_secret,
    has_operators_login,
    is_current,
    is_of_earlier_release,
    name_database_secret,
    read_password,
    with_earlier_url,
)
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.kube.owned import bind_to_state, refuse_taken, remove_owned
from fairlead_operator.ports import Limits, Ports, Record
from fairlead_operator.record.tenants import login_name

_LOGGER = logging.getLogger(__name__)
_BYTES: Final = 24  # as hex, so that a password stands in an address as it is
_EVERY: Final = 300.0  # seconds
BY_VALUE: Final = (
    "whoever may read Secrets in this namespace has the operator's own login to the database, and "
    "with it every namespace's record: record.shareOperatorLoginWithEveryNamespace is true"
)
_BY_EARLIER: Final = (
    "model servers of an earlier release are left, which write with the operator's own login "
    f"alone; it goes from Secret {DATABASE_SECRET} once they are upgraded"
)
_ASK_AGAIN: Final = timedelta(seconds=30)  # a database, or whether earlier servers are left


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What pods have now, so far as there is something to say of it."""

    shared: str | None = None  # why the operator's own login is in the namespace
    look_again: timedelta | None = None  # what did not answer, or is left of an earlier release


async def provide_login(
    namespace: str, ports: Ports, *, address: str, logins: Logins, limits: Limits
) -> Provided:
    """Let the pods of a namespace have what they log in to the database with.

    Raises:
        LoginNotAllowedError: the operator's own login may not make others.
        TakenError: the Secret's name is another's.
        TransientError: the cluster did not answer, or there is nothing yet and no database.
    """
    if logins.is_provided:
        return Provided()
    live = await ports.kube.get("Secret", namespace, DATABASE_SECRET)
    try:
        return await _provide(namespace, live, ports, address=address, logins=logins, limits=limits)
    except ConflictError:  # another look of the namespace was faster: take up what it wrote
        live = await ports.kube.reread("Secret", namespace, DATABASE_SECRET)
        return await _provide(namespace, live, ports, address=address, logins=logins, limits=limits)


async def _provide(
    namespace: str,
    live: dict[str, Any] | None,
    ports: Ports,
    *,
    address: str,
    logins: Logins,
    limits: Limits,
) -> Provided:
    refuse_taken(name_database_secret(namespace), live)
    if logins.is_shared:
        await _write(build_shared_secret(namespace, address, ca=logins.ca), live, ports)
        return Provided(shared=BY_VALUE)
    kept = read_password(live)
    password = kept or secrets.token_hex(_BYTES)
    wanted = build_own_secret(
        namespace, address, user=login_name(namespace), password=password, ca=logins.ca
    )
    is_shared = has_operators_login(live) and await _has_earlier_servers(namespace, ports)
    if is_shared:
        wanted = with_earlier_url(wanted, live)
    shared = _BY_EARLIER if is_shared else None
    try:
        await ports.record.provide_login(namespace, password, limits=limits)
    except TransientError:
        if not is_current(wanted, live):
            raise
        return Provided(shared=shared, look_again=_ASK_AGAIN)
    except LoginNotAllowedError as error:
        if not has_operators_login(live):
            raise
        left = f"until then Secret {DATABASE_SECRET} still holds the operator's own login"
        raise LoginNotAllowedError(f"{error}; {left}") from error
    if kept is None:
        _LOGGER.info("login of a namespace made", extra={"namespace": namespace})
    await _write(wanted, live, ports)
    return Provided(shared=shared, look_again=_ASK_AGAIN if is_shared else None)


async def _has_earlier_servers(namespace: str, ports: Ports) -> bool:
    servers = await ports.kube.list("Deployment", namespace, component_labels(SERVER))
    return any(map(is_of_earlier_release, servers))


async def tidy_login(namespace: str, ports: Ports, *, logins: Logins) -> None:
    """Remove the login of a namespace without Models; the Secret, which tells of it, comes last.

    Raises:
        TransientError: the cluster or the database did not answer.
    """
    if await ports.kube.list("Model", namespace, {}):
        return
    live = await ports.kube.get("Secret", namespace, DATABASE_SECRET)
    # Where the whole namespace goes, the Secret may be gone before.
    if logins.are_own or read_password(live) is not None:
        try:
            await ports.record.remove_login(namespace)
        except LoginNotAllowedError as error:  # then we made none
            _LOGGER.debug("no login removed", extra={"namespace": namespace, "error": str(error)})
    await remove_owned(name_database_secret(namespace), ports.kube)


async def keep_finding_logins(record: Record, tell: Callable[[str], None]) -> None:
    """Tell of each namespace that has a login, at the start and now and then; never return.

    One that was deleted while no operator was there has nothing else that tells of it.
    """
    while True:
        try:
            for namespace in await record.tenants():
                tell(namespace)
        except TransientError as error:
            _LOGGER.debug("logins not listed", extra={"error": str(error)})
        await asyncio.sleep(_EVERY)


async def _write(wanted: dict[str, Any], live: dict[str, Any] | None, ports: Ports) -> None:
    if not is_current(wanted, live):
        await ports.kube.apply(bind_to_state(wanted, live))
