"""How a trainer gets at data: the keys of a Secret as variables, and where a claim is mounted.

The sources of a Model are counted from 0: the first one, those of the union, those of the joins.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CLAIM_FOLDER: Final = "/var/run/fairlead/data"  # with a folder for each claim
MOST_UNITED: Final = 8
MOST_JOINED: Final = 8
_VARIABLES: Final = "FAIRLEAD_DATA_"

# Key of the Secret → the trainer's variable, by the scheme of the source's address.
STORE_KEYS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "s3": {
            "accessKeyId": "FAIRLEAD_DATA_ACCESS_KEY_ID",
            "secretAccessKey": "FAIRLEAD_DATA_SECRET_ACCESS_KEY",
            "sessionToken": "FAIRLEAD_DATA_SESSION_TOKEN",
        },
        "gs": {"serviceAccount": "FAIRLEAD_DATA_SERVICE_ACCOUNT"},
        "az": {
            "accountKey": "FAIRLEAD_DATA_ACCOUNT_KEY",
            "sasToken": "FAIRLEAD_DATA_SAS_TOKEN",
        },
    }
)
DATA_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {key: variable for keys in STORE_KEYS.values() for key, variable in keys.items()}
)


def variable_of(name: str, source: int) -> str:
    """Name the variable of a source: FAIRLEAD_DATA_HOSTS of the first, FAIRLEAD_DATA_1_HOSTS …"""
    return name if source == 0 else name.replace(_VARIABLES, f"{_VARIABLES}{source}_", 1)
