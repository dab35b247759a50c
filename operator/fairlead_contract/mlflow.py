"""How every part reaches MLflow, by MLflow's own variables and with the meaning they have there.

The trainer also uses MLflow's client, which reads the same variables by itself.  So what that
would read in another way than intended, or in silence, is refused here with a message:
credentials in the address, one half of a name and password, a variable that is set to nothing.
"""

import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

ADDRESS: Final = "MLFLOW_TRACKING_URI"
USERNAME: Final = "MLFLOW_TRACKING_USERNAME"
PASSWORD: Final = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105  a variable's name
TOKEN: Final = "MLFLOW_TRACKING_TOKEN"  # noqa: S105  as above
INSECURE_TLS: Final = "MLFLOW_TRACKING_INSECURE_TLS"
SERVER_CERTIFICATES: Final = "MLFLOW_TRACKING_SERVER_CERT_PATH"

SECRET: Final = "fairlead-mlflow"  # noqa: S105  the name of a Secret, in every namespace with Models
SECRET_FOLDER: Final = "FAIRLEAD_MLFLOW_SECRET"  # noqa: S105  the variable that says where it is mounted
# Its keys, and the variables that stand for them; the first two as in kubernetes.io/basic-auth.
SECRET_KEYS: Final[Mapping[str, str]] = {
    "username": USERNAME,
    "password": PASSWORD,
    "token": TOKEN,
}
SECRET_CERTIFICATES: Final = "ca.crt"  # noqa: S105  as above

_WORDS: Final = 300  # characters of an answer's body that are shown
_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}


class InvalidAccessError(ValueError):
    """A variable that cannot be meant; the message names it, and shows no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where MLflow is, as whom to ask, and how to know that it is the one that answers."""

    address: str  # without a slash at its end
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    verifies: bool = True  # the server's certificate
    certificates: str | None = None  # file or directory that says whom to trust

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of each request; name and password win over a token, as in MLflow."""
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def tls(self) -> ssl.SSLContext | None:
        """Build the TLS context; None leaves it to the HTTP library, which verifies by default.

        Raises:
            InvalidAccessError: the certificates cannot be read.
        """
        if not self.verifies:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self.certificates is None:
            return None
        try:
            if Path(self.certificates).is_dir():
                return ssl.create_default_context(capath=self.certificates)
            return ssl.create_default_context(cafile=self.certificates)
        except OSError as error:
            raise InvalidAccessError(
                f"{SERVER_CERTIFICATES} is {self.certificates!r}, which cannot be read as "
                f"certificates: {error}"
            ) from error


def with_secret(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with what the mounted Secret says; what it does not have is left."""
    place = variables.get(SECRET_FOLDER)
    if not place:
        return dict(variables)
    told = {}
    for key, variable in SECRET_KEYS.items():
        # A file made by `echo` ends with a line break that nobody means.
        if value := _read_file(Path(place, key)).rstrip("\r\n"):
            told[variable] = value
    certificates = Path(place, SECRET_CERTIFICATES)
    if _read_file(certificates).strip():
        told[SERVER_CERTIFICATES] = str(certificates)
    return {**variables, **told}


def read_access(variables: Mapping[str, str]) -> Access:
    """Read the variables.

    Raises:
        InvalidAccessError: one is missing or cannot be meant.
    """
    username, password = variables.get(USERNAME, ""), variables.get(PASSWORD, "")
    if bool(username) != bool(password):
        given, missing = (USERNAME, PASSWORD) if username else (PASSWORD, USERNAME)
        raise InvalidAccessError(f"{given} is set without {missing}; set both or neither")
    verifies = not _read_insecure(variables)
    certificates = variables.get(SERVER_CERTIFICATES)
    if certificates == "":
        raise InvalidAccessError(f"{SERVER_CERTIFICATES} is empty; name a file or leave it out")
    if certificates and not verifies:
        raise InvalidAccessError(
            f"{INSECURE_TLS} and {SERVER_CERTIFICATES} contradict each other; set one of them"
        )
    return Access(
        address=_read_address(variables),
        username=username,
        password=password,
        token=_read_token(variables),
        verifies=verifies,
        certificates=certificates,
    )


def way_out(status: int) -> str:
    """Say what to look at after an answer of this status that is none of MLflow's."""
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return (
            "check the user and password, or the token, that Fairlead has for MLflow, and what they"
            f" may there: of trainers and servers in Secret {SECRET} of their namespace, and the "
            "operator's own"
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return "it is asked again; if it stays so, look at MLflow's log and at proxies before it"
    return f"check that {ADDRESS} is MLflow's own address"


def describe_answer(server: str, status: int, body: str) -> str:
    """Say what came in place of an answer, in MLflow's words if they are, and what to look at."""
    words = _read_words(body)
    answer = f"HTTP {status}: {words}" if words else f"HTTP {status} in place of JSON"
    return f"{server} answered {answer}; {way_out(status)}"


def _read_file(path: Path) -> str:
    """Return what a file says; nothing where there is none."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _read_words(body: str) -> str:
    """Return what MLflow itself said, such as that it serves no artifacts; empty of a page."""
    try:
        document = json.loads(body)
    except ValueError:
        return "" if body.startswith("<") else body[:_WORDS]
    message = document.get("message") if isinstance(document, dict) else None
    return str(message or "")[:_WORDS]


def _read_address(variables: Mapping[str, str]) -> str:
    text = variables.get(ADDRESS, "").strip()
    if not text:
        raise InvalidAccessError(f"{ADDRESS} is not set")
    try:
        parts = urlsplit(text)
        host, has_credentials = parts.hostname, "@" in parts.netloc
    except ValueError as error:
        raise InvalidAccessError(f"{ADDRESS} is not an address") from error
    if has_credentials:
        raise InvalidAccessError(
            f"{ADDRESS} must not hold a name or password, since addresses end up in logs; "
            f"give them in {USERNAME} and {PASSWORD}"
        )
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidAccessError(f"{ADDRESS} is {text!r}; give an http:// or https:// address")
    return text.rstrip("/")


def _read_token(variables: Mapping[str, str]) -> str:
    token = variables.get(TOKEN, "")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise InvalidAccessError(
            f"{TOKEN} has a blank, a line break or another character that no header can hold; "
            "does it end with a line break in its Secret?"
        )
    return token


def _read_insecure(variables: Mapping[str, str]) -> bool:
    text = variables.get(INSECURE_TLS, "false")
    if text.lower() not in _TRUTH:
        raise InvalidAccessError(f"{INSECURE_TLS} is {text!r}; give true or false")
    return _TRUTH[text.lower()]
