"""One connection to PostgreSQL, opened so that a pooler in between may share its sessions."""

from typing import Any

import psycopg

from fairlead_operator.errors import TransientError

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


async def connect(url: str, *, statement_timeout: str) -> Connection:
    """Connect, each statement in a transaction of its own unless one is begun.

    Raises:
        TransientError: the address is none.
        psycopg.Error: the database is not there, or refused.
    """
    try:
        return await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            connect_timeout=2,
            # A network that swallows packets is noticed, also by who waits long for an answer.
            tcp_user_timeout=10_000,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            prepare_threshold=None,  # a pooler may not keep what was prepared
            application_name="fairlead-operator",
            options=f"-c statement_timeout={statement_timeout} -c TimeZone=UTC",
        )
    except psycopg.ProgrammingError:
        # Its message repeats the address, password included.
        raise TransientError(
            "record database: the address is not of the form postgresql://…"
        ) from None
