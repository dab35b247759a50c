"""One connection to PostgreSQL, opened so that a pooler in between may share its sessions.

Poolers refuse the start-up parameter ``options``, and the next transaction may be in another
session.  So what a statement needs is set in its own transaction, and what a person wrote into
the address stays as it is.
"""

from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from fairlead_contract.database import ADDRESS, InvalidAddressError, check_address
from fairlead_operator.errors import TransientError

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

# Unless the address says otherwise.
_DEFAULTS: Final = {
    "connect_timeout": 2,
    # A network that swallows packets is noticed, also by who waits long for an answer.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "fairlead-operator",
}


async def connect(url: str) -> Connection:
    """Connect, each statement in a transaction of its own unless one is begun.

    Raises:
        TransientError: the address is none.
        psycopg.Error: the database is not there, or refused.
    """
    try:
        parameters: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(check_address(url))}
    except InvalidAddressError as error:
        raise TransientError(f"record database: {ADDRESS}: {error}") from error
    except psycopg.ProgrammingError:
        # Its message repeats pieces of the address.
        raise TransientError(
            f"record database: {ADDRESS} has a parameter that PostgreSQL does not know"
        ) from None
    return await psycopg.AsyncConnection.connect(
        **parameters,
        autocommit=True,
        prepare_threshold=None,  # a pooler may not keep what was prepared
    )
