"""One connection to PostgreSQL, opened so that a pooler in between may share its sessions."""

from typing import Any, Final

import psycopg

from fairlead_contract.database import ADDRESS, InvalidAddressError
from fairlead_contract.libpq import NOTICES_SILENCE, build_parameters
from fairlead_operator.errors import TransientError

# In each transaction, as a pooler refuses settings of a session.  Where others may create functions
# or operators in a schema that is searched, theirs would run as ours.
PIN: Final = "SET LOCAL search_path = pg_catalog, pg_temp"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_DEFAULTS: Final = {
    "connect_timeout": 2,
    "application_name": "fairlead-operator",
    **NOTICES_SILENCE,
}


async def connect(url: str, **account: str) -> Connection:
    """Connect, each statement in a transaction of its own unless one is begun.

    Args:
        url: the operator's address.
        account: another ``user`` and ``password`` than the address has.

    Raises:
        TransientError: the address is none.
        psycopg.Error: the database is not there, or refused.
    """
    try:
        parameters = build_parameters(url, _DEFAULTS)
    except InvalidAddressError as error:
        raise TransientError(f"record database: {ADDRESS}: {error}") from error
    return await psycopg.AsyncConnection.connect(**{**parameters, **account}, autocommit=True)
