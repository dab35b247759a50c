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
    Passwords,
    build_own_secret,
    build_shared_secret,
    has_operators_login,
    is_current,
    is_dated,
    is_of_earlier_release,
    name_database_secret,
    read_password,
    read_passwords,
    with_earlier_url,
)
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.kube.owned import bind_to_state, refuse_taken, remove_owned
from fairlead_operator.ports import Limits, Ports, Record
from fairlead_operator.record.tenants import login_name
from fairlead_operator.renewal import SPREAD, Step, decide, read_moment

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
_RENEWED: Final = (
    "the namespace's login to the database has another password, which its pods have had already"
)
_ASK_AGAIN: Final = timedelta(seconds=30)  # a database, or whether earlier servers are left


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What pods have now, so far as there is something to say of it."""

    shared: str | None = None  # why the operator's own login is in the namespace
    look_again: timedelta | None = None  # what did not answer, or is left of what was before
    renewed: str | None = None  # that another password has taken the place of an old one


async def provide_login(
    namespace: str,
    ports: Ports,
    *,
    address: str,
    logins: Logins,
    limits: Limits,
    age: timedelta | None = None,
) -> Provided:
    """Let the pods of a namespace have what they log in to the database with.

    Args:
        age: of a password that is to give way to another; None: none is.

    Raises:
        LoginNotAllowedError: the operator's own login may not make others.
        TakenError: the Secret's name is another's.
        TransientError: the cluster did not answer, or there is nothing yet and no database.
    """
    if logins.is_provided:
        return Provided()
    asked = _Asked(
        namespace=namespace, ports=ports, address=address, logins=logins, limits=limits, age=age
    )
    live = await ports.kube.get("Secret", namespace, DATABASE_SECRET)
    try:
        return await _provide(asked, live)
    except ConflictError:  # another look of the namespace was faster: take up what it wrote
        return await _provide(asked, await ports.kube.reread("Secret", namespace, DATABASE_SECRET))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a look asks for."""

    namespace: str
    ports: Ports
    address: str
    logins: Logins
    limits: Limits
    age: timedelta | None


async def _provide(asked: _Asked, live: dict[str, Any] | None) -> Provided:
    namespace, ports, logins = asked.namespace, asked.ports, asked.logins
    refuse_taken(name_database_secret(namespace), live)
    if logins.is_shared:
        await _write(build_shared_secret(namespace, asked.address, ca=logins.ca), live, ports)
        return Provided(shared=BY_VALUE)
    passwords, step = _choose(read_passwords(live), asked)
    wanted = build_own_secret(
        namespace, asked.address, user=login_name(namespace), passwords=passwords, ca=logins.ca
    )
    is_shared = has_operators_login(live) and await _has_earlier_servers(namespace, ports)
    if is_shared:
        wanted = with_earlier_url(wanted, live)
    shared = _BY_EARLIER if is_shared else None
    try:
        await ports.record.provide_login(namespace, passwords.current, limits=asked.limits)
    except TransientError:
        if step is not Step.TAKE and not is_current(wanted, live):
            raise
        return Provided(shared=shared, look_again=_ASK_AGAIN)
    except LoginNotAllowedError as error:
        if not has_operators_login(live):
            raise
        left = f"until then Secret {DATABASE_SECRET} still holds the operator's own login"
        raise LoginNotAllowedError(f"{error}; {left}") from error
    if await ports.kube.get("Secret", namespace, DATABASE_SECRET) != live:
        # Another look may have let in another password meanwhile, and this one shut it out.
        raise ConflictError(f"Secret {DATABASE_SECRET} was written meanwhile")
    if read_password(live) is None:
        _LOGGER.info("login of a namespace made", extra={"namespace": namespace})
    elif step in {Step.TELL, Step.TAKE}:
        fields = {"namespace": namespace, "step": step}
        _LOGGER.info("login of a namespace gets another password", extra=fields)
    await _write(wanted, live, ports)
    again = [_ASK_AGAIN] * is_shared + [SPREAD] * (step in {Step.TELL, Step.WAIT})
    return Provided(
        shared=shared,
        look_again=min(again, default=None),
        renewed=_RENEWED if step is Step.TAKE else None,
    )


def _choose(there: Passwords | None, asked: _Asked) -> tuple[Passwords, Step]:
    """Return what the Secret is to hold, and by which step."""
    now = asked.ports.now()
    moment = now.isoformat(timespec="seconds")
    has_turn = asked.ports.renewals.is_free(asked.namespace, now)
    if there is None:
        return Passwords(current=secrets.token_hex(_BYTES), made=moment), Step.COUNT
    step = decide(
        read_moment(there.made),
        None if there.next is None else read_moment(there.next_made),
        now=now,
        age=asked.age,
        has_turn=has_turn,
    )
    match step:
        case Step.COUNT:
            return dataclasses.replace(there, made=moment), step
        case Step.TELL:
            if has_turn:  # without one, another was told in the future, as a namespace may write it
                asked.ports.renewals.take(asked.namespace, now, age=asked.age)
            following = secrets.token_hex(_BYTES)
            return dataclasses.replace(there, next=following, next_made=moment), step
        case Step.TAKE if there.next is not None:
            return Passwords(current=there.next, made=moment), step
        case _:
            return there, step


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
    if not (is_current(wanted, live) and is_dated(wanted, live)):
        await ports.kube.apply(bind_to_state(wanted, live))
