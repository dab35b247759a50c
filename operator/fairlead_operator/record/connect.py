"""One connection to PostgreSQL, opened so that a pooler in between may share its sessions."""

from typing import Any, Final

import psycopg

from fairlead_contract.database import ADDRESS, InvalidAddressError
from fairlead_contract.libpq import NOTICES_SILENCE, build_parameters
from fairlead_operator.errors import TransientError

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_DEFAULTS: Final = {
    "connect_timeout": 2,
    "application_name": "fairlead-operator",
    **NOTICES_SILENCE,
}


async def connect(url: str) -> Connection:
    """Connect, each statement in a transaction of its own unless one is begun.

    Raises:
        TransientError: the address is none.
        psycopg.Error: the database is not there, or refused.
    """
    try:
        parameters = build_parameters(url, _DEFAULTS)
    except InvalidAddressError as error:
        raise TransientError(f"record database: {ADDRESS}: {error}") from error
    return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
