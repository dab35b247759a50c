"""Fills in the passwords that the chart leaves out of its Secrets, before the operator starts.

``python -m fairlead_operator.passwords --namespace fairlead-system fairlead-webhook=token``

The chart cannot make them: rendered anew they would be others, and what compares Git with the
cluster would never be done.  What is in a Secret stays, since it opens data that is there.
"""

import argparse
import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from fairlead_contract import logs
from fairlead_operator.errors import ClusterRefusalError, ConflictError, TransientError
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.generated import find_missing, parse_generated
from fairlead_operator.kube.login import client, login
from fairlead_operator.kube.secret_data import encode

_LOGGER = logging.getLogger("fairlead_operator.passwords")  # as a program it is __main__
_BYTES: Final = 24  # as hex, so that a password stands in an address as it is


async def fill_in(kube: KubeClient, namespace: str, name: str, keys: Sequence[str]) -> None:
    """Generate a password for each of these keys that has none.

    Raises:
        TransientError: the cluster did not answer.
        ClusterRefusalError: it does not let us.
        LookupError: the Secret is not there.
    """
    while True:
        secret = await kube.get("Secret", namespace, name)
        if secret is None:
            raise LookupError(f"there is no Secret {name} in namespace {namespace}")
        missing = find_missing(secret, keys)
        if not missing:
            return
        made = encode({key: secrets.token_hex(_BYTES) for key in missing})
        try:
            await kube.replace({**secret, "data": {**(secret.get("data") or {}), **made}})
        except ConflictError:  # another pod of the operator was faster
            continue
        _LOGGER.info("generated", extra={"secret": name, "keys": ",".join(missing)})


async def _fill_in_all(namespace: str, wanted: Mapping[str, Sequence[str]]) -> None:
    async with client(login()) as kube:
        for name, keys in wanted.items():
            await fill_in(kube, namespace, name, keys)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run once; the kubelet tries again after a failure."""
    parser = argparse.ArgumentParser(prog="python -m fairlead_operator.passwords")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("secrets", nargs="+", metavar="SECRET=KEY,KEY")
    options = parser.parse_args(arguments)
    logs.configure(level="INFO", levels={"kopf": "WARNING"})
    try:
        asyncio.run(_fill_in_all(options.namespace, parse_generated(options.secrets)))
    except (TransientError, ClusterRefusalError, LookupError) as error:
        raise SystemExit(f"passwords: {error}") from error


if __name__ == "__main__":
    main()
