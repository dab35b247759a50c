"""The Secret with the database's address for the pods of a namespace, and how they read it.  Pure.

The password in it is the truth, which the login in the database follows.  Of the operator's own
address it has the place and how to get there, and neither user nor password.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from fairlead_contract.database import ADDRESS, NEXT, keep, read_parameter, rewrite
from fairlead_operator.api.group import ANNOTATION_MADE, ANNOTATION_NEXT_MADE, DATABASE_SECRET
from fairlead_operator.kube.secret_data import encode, name_secret, read_text
from fairlead_operator.kube.security import secret_variable

_VOLUME: Final = "database"
_MOUNT: Final = "/var/run/fairlead/database"
_URL: Final = "url"  # what servers of earlier releases read, and the platform's Secrets have
_OWN_URL: Final = "own-url"  # the same, but while such servers need what was there before
_PASSWORD: Final = "password"  # noqa: S105  a key
_NEXT: Final = "next-password"
_CA: Final = "ca.crt"
# What of an address is for everyone: where the database is, and how to get there.  All else is the
# operator's alone: secrets, also those of a later libpq, and files that no other pod has.
_EVERYONES: Final = frozenset({
    "host", "hostaddr", "port", "dbname", "target_session_attrs", "load_balance_hosts",
    "ssl", "sslmode", "sslnegotiation", "sslsni", "sslrootcert", "sslcompression",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "gssencmode", "channel_binding",
    "require_auth", "min_protocol_version", "max_protocol_version", "connect_timeout",
    "tcp_user_timeout", "keepalives", "keepalives_idle", "keepalives_interval",
    "keepalives_count", "application_name", "fallback_application_name", "client_encoding",
    "options",  # some hosts are told by it which database is meant
})  # fmt: skip
# What a person may write into the Secret: it needs no escape anywhere.
_USABLE: Final = re.compile(r"[0-9A-Za-z._~-]{16,200}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """How the pods of a namespace log in to the database."""

    secret: str = DATABASE_SECRET  # in each namespace; one of another name is the platform's
    is_shared: bool = False  # the Secret has the operator's own login
    ca: str = ""  # the authority that signs the database's certificate, in PEM

    @property
    def is_provided(self) -> bool:
        """Tell whether the platform makes the Secrets, and we none."""
        return self.secret != DATABASE_SECRET

    @property
    def key(self) -> str:
        """Return the key of the Secret that pods of this release read."""
        return _OWN_URL if self.are_own else _URL

    @property
    def are_own(self) -> bool:
        """Tell whether we make a login for each namespace."""
        return not self.is_shared and not self.is_provided


OWN_LOGINS: Final = Logins()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Passwords:
    """The password of a namespace's login, and the one that is to follow it; moments in ISO."""

    current: str = dataclasses.field(repr=False)
    made: str | None = None
    next: str | None = dataclasses.field(default=None, repr=False)
    next_made: str | None = None


def name_database_secret(namespace: str) -> dict[str, Any]:
    """Build the manifest of the Secret that we make, without its content."""
    return name_secret(DATABASE_SECRET, namespace, component="trainer")


def build_own_secret(
    namespace: str, address: str, *, user: str, passwords: Passwords, ca: str
) -> dict[str, Any]:
    """Build the Secret with the namespace's own login at the operator's address."""

    def at(password: str) -> str:
        return _at(keep(address, _EVERYONES), {"user": user, "password": password}, ca)

    url, following = at(passwords.current), passwords.next
    content = {_URL: url, _OWN_URL: url, _PASSWORD: passwords.current}
    if following is not None:
        content |= {NEXT: at(following), _NEXT: following}
    secret = _build(namespace, content, ca)
    moments = {ANNOTATION_MADE: passwords.made, ANNOTATION_NEXT_MADE: passwords.next_made}
    told = {name: moment for name, moment in moments.items() if moment is not None}
    return {**secret, "metadata": {**secret["metadata"], "annotations": told}}


def with_earlier_url(wanted: dict[str, Any], live: Mapping[str, Any] | None) -> dict[str, Any]:
    """Leave to servers of an earlier release the address that they have."""
    before = ((live or {}).get("data") or {}).get(_URL)
    return wanted if before is None else {**wanted, "data": {**wanted["data"], _URL: before}}


def is_of_earlier_release(server: Mapping[str, Any]) -> bool:
    """Tell whether a Deployment has servers that cannot write with a namespace's own login.

    They also had the address in a variable.
    """
    status = server.get("status") or {}
    if status.get("replicas", 0) > status.get("updatedReplicas", 0):
        return True  # which of them is not told; the last is soon replaced
    containers = server["spec"]["template"]["spec"].get("containers") or ()
    return any(
        variable["name"] == ADDRESS for each in containers for variable in each.get("env") or ()
    )


def build_shared_secret(namespace: str, address: str, *, ca: str) -> dict[str, Any]:
    """Build the Secret with the operator's own login, which someone has asked for by value."""
    return _build(namespace, {_URL: _at(address, {}, ca)}, ca)


def read_password(secret: Mapping[str, Any] | None) -> str | None:
    """Return the password of the namespace's own login; None where there is none to keep."""
    text = read_text(secret, _PASSWORD)
    return text if _USABLE.fullmatch(text) else None


def read_passwords(secret: Mapping[str, Any] | None) -> Passwords | None:
    """Return what the Secret says of the login; None where there is no password to keep."""
    current, following = read_password(secret), read_text(secret, _NEXT)
    if secret is None or current is None:
        return None
    moments = secret["metadata"].get("annotations") or {}
    made, next_made = moments.get(ANNOTATION_MADE), moments.get(ANNOTATION_NEXT_MADE)
    if next_made is None or not _USABLE.fullmatch(following):
        return Passwords(current=current, made=made)
    return Passwords(current=current, made=made, next=following, next_made=next_made)


def is_current(wanted: Mapping[str, Any], live: Mapping[str, Any] | None) -> bool:
    """Tell whether the Secret that is there holds, and is labelled, what is wanted."""
    if live is None:
        return False
    labels = live["metadata"].get("labels") or {}
    return bool(
        wanted["data"].items() <= (live.get("data") or {}).items()
        and wanted["metadata"]["labels"].items() <= labels.items()
    )


def is_dated(wanted: Mapping[str, Any], live: Mapping[str, Any] | None) -> bool:
    """Tell whether the Secret that is there says since when its passwords are."""
    there = ((live or {"metadata": {}})["metadata"].get("annotations") or {}).items()
    return (wanted["metadata"].get("annotations") or {}).items() <= there


def has_operators_login(secret: Mapping[str, Any] | None) -> bool:
    """Tell whether the Secret holds an address that is not made for its namespace alone."""
    return read_text(secret, _URL) not in {"", read_text(secret, _OWN_URL)}


def _at(address: str, values: Mapping[str, str | None], ca: str) -> str:
    """Rewrite the address for a pod that has the Secret mounted."""
    if read_parameter(address, "sslrootcert") == "system":  # what every image brings
        return rewrite(address, values)
    return rewrite(address, {**values, "sslrootcert": f"{_MOUNT}/{_CA}" if ca else None})


def _build(namespace: str, content: Mapping[str, str], ca: str) -> dict[str, Any]:
    texts = {**content, **({_CA: ca} if ca else {})}
    return {**name_database_secret(namespace), "type": "Opaque", "data": encode(texts)}


def database_file(logins: Logins) -> dict[str, Any]:
    """Build the variable that says in which file the address is, as it is now."""
    return {"name": f"{ADDRESS}_FILE", "value": f"{_MOUNT}/{logins.key}"}


def database_volume(logins: Logins) -> dict[str, Any]:
    """Build the volume that holds that file, and the certificate of the authority."""
    # Those alone: for servers of an earlier release the Secret may still have the operator's login.
    following = (NEXT,) if logins.are_own else ()
    items = [{"key": key, "path": key} for key in (logins.key, *following, _CA)]
    # Optional, Secret and keys: a record that is not there yet keeps no server from starting.
    secret = {"secretName": logins.secret, "items": items, "optional": True}
    return {"name": _VOLUME, "secret": secret}


def database_mount() -> dict[str, Any]:
    """Build where that volume is mounted: the address in the Secret names this place, too."""
    return {"name": _VOLUME, "mountPath": _MOUNT, "readOnly": True}


def database_variable(logins: Logins) -> dict[str, Any]:
    """Build the environment variable that holds the address."""
    return secret_variable(ADDRESS, logins.secret, logins.key)
