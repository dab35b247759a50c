"""What libpq is told, so that a pooler in between may share its sessions.

Poolers refuse the start-up parameter ``options``, and the next transaction may be in another
session.  So nothing is prepared, what a statement needs is set in its own transaction, and what a
person wrote into the address stays as it is.
"""

from collections.abc import Mapping
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
