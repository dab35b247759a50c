"""The address of a PostgreSQL database, as a person wrote it: checked, and never shown.

An address whose password stands in it as it is falls apart in other places for each reader, and
what lands in a host's or a database's name is told in errors.  So nothing reads an address that
was not checked here.  Pure, but for what it reads of a mounted Secret.
"""

import contextlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

ADDRESS: Final = "FAIRLEAD_DATABASE_URL"
NEXT: Final = "next-url"  # beside the file with the address: the one that is to take its place

_SCHEME: Final = re.compile(r"postgres(?:ql)?(?:\+\w+)?://")
_RAW: Final = re.compile(r"[\s@/?#]|%(?![0-9A-Fa-f]{2})|%00")
_HOST: Final = r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/?#,\[\]]*)(?::\d*)?"
_PARAMETERS: Final = re.compile(r"\w+=[^&\s#]*(?:&\w+=[^&\s#]*)*")
_PLACE: Final = re.compile(rf"{_HOST}(?:,{_HOST})*(?:/[^\s?#]*)?(?:\?(?:{_PARAMETERS.pattern})?)?")
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_PAIR: Final = r"\w+\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*)?"
_KEYWORDS: Final = re.compile(rf"{_PAIR}(?:\s+{_PAIR})*", re.DOTALL)
_ONE_PAIR: Final = re.compile(_PAIR, re.DOTALL)
_NAME: Final = re.compile(r"\w+")
_PASSWORD: Final = re.compile(r"\b(?:ssl)?password\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s&\\]|\\.)*)")
_ACCOUNT: Final = frozenset({"user", "password"})  # what a URL has before its host
_ENCODED: Final = (
    "@ as %40, / as %2F, ? as %3F, # as %23, % as %25, a blank as %20; one that is generated of "
    "letters and digits needs none of it"
)


class InvalidAddressError(ValueError):
    """An address that cannot be meant; the message names the part and shows nothing of it."""


def check_address(text: str) -> str:
    """Return the address as libpq reads it: a URL, or pairs of keyword and value.

    Raises:
        InvalidAddressError: a part cannot be meant.
    """
    address = text.strip()
    scheme = _SCHEME.match(address)
    if scheme is not None:
        rest = address[scheme.end() :]
        _check_url(rest)
        return f"postgresql://{rest}"
    if "://" not in _QUOTED.sub("", address) and _KEYWORDS.fullmatch(address):
        return address
    raise InvalidAddressError(
        "the address is not of the form postgresql://user:password@host:5432/database, nor of "
        "host=… dbname=… user=… password='…'"
    )


def _check_url(rest: str) -> None:
    front, mark, parameters = rest.partition("?")
    # The last @ ends the password, whatever is in it: what a person means, though no parser.
    if "@" in front or _PARAMETERS.fullmatch(parameters):
        account, _, place = front.rpartition("@")
        place += mark + parameters
    else:
        account, _, place = rest.rpartition("@")
    user, _, password = account.partition(":")
    for part, value in (("user name", user), ("password", password)):
        if _RAW.search(value) or not _is_text(value):
            raise InvalidAddressError(
                f"the {part} in the address has a character that must be percent-encoded: "
                f"{_ENCODED}"
            )
    if not _PLACE.fullmatch(place):
        raise InvalidAddressError(
            "what follows the password in the address is not host:port/database; write "
            "postgresql://user:password@host:5432/database, and special characters of the user "
            f"name or password percent-encoded: {_ENCODED}"
        )


def _is_text(value: str) -> bool:
    try:
        unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        return False
    return True


def rewrite(address: str, values: Mapping[str, str | None]) -> str:
    """Return a checked address with these values in place of its own; None takes one out."""
    scheme = _SCHEME.match(address)
    if scheme is None:
        pairs = (match.group() for match in _ONE_PAIR.finditer(address))
        kept = [pair for pair in pairs if _keyword(pair) not in values]
        return " ".join(kept + [f"{name}={_quoted(value)}" for name, value in _set(values)])
    front, _, parameters = address[scheme.end() :].partition("?")
    account, at, place = front.rpartition("@")
    if _ACCOUNT & values.keys():
        user, _, password = account.partition(":")
        user = _encoded(values.get("user", unquote(user)))
        password = _encoded(values.get("password", unquote(password)))
        account = f"{user}:{password}" if password else user
        at = "@" if account else ""
    told = [each for each in parameters.split("&") if each and _keyword(each) not in values]
    told += [f"{name}={_encoded(value)}" for name, value in _set(values) if name not in _ACCOUNT]
    mark = "?" if told else ""
    return f"postgresql://{account}{at}{place}{mark}{'&'.join(told)}"


def keep(address: str, names: Collection[str]) -> str:
    """Return a checked address with these keywords alone; a URL keeps what is before its ``?``."""
    scheme = _SCHEME.match(address)
    if scheme is None:
        pairs = (match.group() for match in _ONE_PAIR.finditer(address))
        return " ".join(pair for pair in pairs if _keyword(pair) in names)
    front, _, parameters = address.partition("?")
    # A name may be percent-encoded, and is then none of these.
    told = [each for each in parameters.split("&") if each.partition("=")[0] in names]
    return f"{front}?{'&'.join(told)}" if told else front


def read_parameter(address: str, name: str) -> str | None:
    """Return the value of a keyword of a checked address, other than user and password."""
    if _SCHEME.match(address) is None:
        pairs = (match.group() for match in _ONE_PAIR.finditer(address))
        told = next((pair for pair in pairs if _keyword(pair) == name), None)
        return None if told is None else _unquoted(told.partition("=")[2].strip())
    written = address.partition("?")[2].split("&")
    told = next((pair for pair in written if _keyword(pair) == name), None)
    return None if told is None else unquote(told.partition("=")[2])


def _keyword(pair: str) -> str:
    name = _NAME.match(pair)
    return name.group() if name is not None else ""


def _set(values: Mapping[str, str | None]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in values.items() if value is not None]


def _encoded(value: str | None) -> str:
    return quote(value or "", safe="")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value)


def redact(text: str, address: str) -> str:
    """Return the text without the address's passwords, should a library have told one."""
    written = [match.group(1) for match in _PASSWORD.finditer(address)]
    scheme = _SCHEME.match(address)
    if scheme is not None:
        rest = address[scheme.end() :]
        accounts = (each.rpartition("@")[0] for each in (rest, rest.partition("?")[0]))
        written += [account.partition(":")[2] for account in accounts]
    secrets = {form for each in written for form in (each, each.strip("'"), unquote(each))}
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def read_addresses(file: Path | None, given: str) -> list[str]:
    """Return the addresses to try, in this order; none where there is none yet.

    A password gives way to another while pods run: a mounted file is late by up to two minutes, so
    that for a while only the next address lets in.

    Args:
        file: where the Secret's address is mounted.
        given: what goes for it where there is no such file.
    """
    places = () if file is None else (file, file.with_name(NEXT))
    told = [each for each in map(_read, places) if each]
    return told or [given] * bool(given)


def _read(file: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8").strip()
    return ""
