"""How a trainer gets at data: the keys of a Secret as variables, and where a claim is mounted."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CLAIM_FOLDER: Final = "/var/run/fairlead/data"

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
