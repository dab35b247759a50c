"""What libpq is told, so that a pooler in between may share its sessions.

Poolers refuse the start-up parameter ``options``, and the next transaction may be in another
session.  So nothing is prepared, what a statement needs is set in its own transaction, and what a
person wrote into the address stays as it is.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from fairlead_contract.database import InvalidAddressError, check_address

# A network that swallows packets is noticed, also by who waits long for an answer.
NOTICES_SILENCE: Final[Mapping[str, int]] = {
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


def build_parameters(address: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return what psycopg connects with; the defaults hold unless the address says otherwise.

    Raises:
        InvalidAddressError: a part cannot be meant.
    """
    try:
        written = conninfo_to_dict(check_address(address))
    except psycopg.ProgrammingError:
        # Its message repeats pieces of the address.
        raise InvalidAddressError(
            "the address has a parameter that PostgreSQL does not know"
        ) from None
    return {**defaults, **written, "prepare_threshold": None}


def connect(
    addresses: Sequence[str], defaults: Mapping[str, Any]
) -> "psycopg.Connection[tuple[Any, ...]]":
    """Connect by the first of these addresses that lets in.

    Raises:
        InvalidAddressError: none is one.
        psycopg.OperationalError: no connection by the last of them.
    """
    *others, last = addresses
    for address in others:
        with contextlib.suppress(psycopg.OperationalError, InvalidAddressError):
            return psycopg.connect(**build_parameters(address, defaults))
    return psycopg.connect(**build_parameters(last, defaults))
