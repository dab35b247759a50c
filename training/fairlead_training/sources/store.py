"""Files and folders in object stores: S3 and what speaks its protocol, Google Cloud Storage, Azure.

Arrow's file systems read them, through our own proxy (``relay``), so that the rules for addresses
and credentials hold as for every other source.  Of what a store answers, a message tells the code
alone.
"""

import contextlib
import dataclasses
import datetime
import io
import json
import os
import re
import ssl
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Final, cast

import pandas as pd
import pyarrow as pa
from pyarrow import fs

from fairlead_contract.data import STORE_KEYS
from fairlead_contract.hosts import tidy
from fairlead_training.config import DataConfig, Environment
from fairlead_training.failure import Reason, TrainingFailure, Trouble
from fairlead_training.passing import answer_may_pass, may_pass
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.delta import DELTA, Folder, find_table
from fairlead_training.sources.folder import AbsentError, DataFile, choose_files, read_files
from fairlead_training.sources.formats import Columns
from fairlead_training.sources.relay import Relay, relay
from fairlead_training.sources.room import make_room
from fairlead_training.sources.secret import check_credentials, write_authority

_PORTS: Final = {"http": 80, "https": 443}
_REGION: Final = "us-east-1"
_PATIENCE: Final = datetime.timedelta(seconds=60)  # of Google's client, which would wait 15 minutes
_READ_GCS: Final = "https://www.googleapis.com/auth/devstorage.read_only"
_TOKEN_LIFE: Final = datetime.timedelta(hours=1)
# How the libraries write what a store answered.
_CODES: Final = re.compile(
    r"AWS Error ([A-Z_]+)(?: \(HTTP status (\d+)\))?|HTTP (?:status|error code)[ :]+(\d{3})"
    r"|\b(PERMISSION_DENIED|UNAUTHENTICATED|NOT_FOUND)\b|\b(40[134]) "
)
_REFUSALS: Final = frozenset(
    {
        "ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_SIGNATURE",
        "INVALID_CLIENT_TOKEN_ID", "MISSING_AUTHENTICATION_TOKEN", "REQUEST_EXPIRED",
        "REQUEST_TIME_TOO_SKEWED", "UNRECOGNIZED_CLIENT", "PERMISSION_DENIED", "UNAUTHENTICATED",
        "401", "403",
    }
)  # fmt: skip
_ELSEWHERE: Final = frozenset({"301", "307", "400"})  # what AWS says of a bucket in another region
_BUSY: Final = frozenset(
    {"UNKNOWN", "INTERNAL_FAILURE", "NETWORK_CONNECTION", "REQUEST_TIMEOUT", "SERVICE_UNAVAILABLE",
     "SLOW_DOWN", "THROTTLING"}
)  # fmt: skip
_ABSENT: Final = frozenset({"NO_SUCH_BUCKET", "NO_SUCH_KEY", "RESOURCE_NOT_FOUND", "404"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a store answers."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_store(config: DataConfig, environment: Environment, columns: Columns) -> pd.DataFrame:
    """Read a file or a folder of a store.

    Raises:
        TrainingFailure: SourceNotAllowed, SecretNotAllowed, CredentialsRefused,
            DataSourceUnavailable, and what the files give reason for.
    """
    scheme, _, path = config.uri.partition("://")
    source = public_uri(config.uri)
    endpoint = find_endpoint(config)
    _check_keys(scheme, environment)
    # Before anything else, so that a Secret that may not be sent there is told first.
    check_credentials(endpoint.host, endpoint.port, environment)
    with relay(source, environment, lambda *place: _leads_to(config, endpoint, *place)) as proxy:
        try:
            with _opened(scheme, config, endpoint, environment, proxy) as store:
                if config.format == DELTA:
                    files = _list_table(store, path, config, environment)
                    config = dataclasses.replace(config, format="parquet")
                else:
                    files = _list(store, path, config, source)
                return read_files(
                    files,
                    config,
                    make_room(source, environment.held),
                    source=source,
                    columns=columns,
                    # Who has no credentials may read what was never meant as data.
                    quotes=bool(environment.data_keys),
                )
        except TrainingFailure as failure:
            raise proxy.failure or failure from failure
        except (OSError, pa.ArrowException, ValueError) as error:
            raise proxy.failure or explain_store(error, source, proxy) from error


def find_endpoint(config: DataConfig) -> Endpoint:
    """Return where the store of an address answers.

    Raises:
        TrainingFailure: ConfigInvalid.
    """
    scheme = config.uri.partition("://")[0]
    given = config.endpoint
    if given is None:
        if scheme == "az":
            raise _invalid(
                "spec.data.source.endpoint is missing; write that of the storage account, "
                "for example https://ACCOUNT.blob.core.windows.net"
            )
        region = config.region or _REGION
        cloud = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        host = "storage.googleapis.com" if scheme == "gs" else f"s3.{region}.{cloud}"
        return Endpoint(scheme="https", host=host, port=443)
    parts = urllib.parse.urlsplit(given)
    try:
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        port = 0
    if not (port and parts.hostname) or parts.path.strip("/") or parts.username:
        raise _invalid(
            "spec.data.source.endpoint is no address of a server; write one such as "
            "https://s3.example.com"
        )
    return Endpoint(scheme=parts.scheme, host=parts.hostname, port=port)


def s3_options(
    config: DataConfig, endpoint: Endpoint, keys: Mapping[str, str], *, proxy: str, authority: str
) -> dict[str, Any]:
    """Build the options of Arrow's S3FileSystem."""
    return {
        **(
            {
                "access_key": keys["accessKeyId"],
                "secret_key": keys["secretAccessKey"],
                "session_token": keys.get("sessionToken"),
            }
            if keys
            else {"anonymous": True}
        ),
        "endpoint_override": endpoint.authority,
        "scheme": endpoint.scheme,
        "region": config.region or _REGION,
        "force_virtual_addressing": not config.path_style,
        "proxy_options": proxy,
        "tls_ca_file_path": authority,
        "connect_timeout": 10.0,
    }


def gcs_options(
    endpoint: Endpoint, keys: Mapping[str, str], *, now: datetime.datetime
) -> dict[str, Any]:
    """Build the options of Arrow's GcsFileSystem; a token is signed here, and asked of nobody.

    Raises:
        TrainingFailure: CredentialsRefused.
    """
    options: dict[str, Any] = {
        "endpoint_override": endpoint.authority,
        "scheme": endpoint.scheme,
        "retry_time_limit": _PATIENCE,
    }
    if not keys:
        return {**options, "anonymous": True}
    # Here, since the import takes a third of a second.
    from google.oauth2 import service_account  # noqa: PLC0415

    try:
        account = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            json.loads(keys["serviceAccount"]), scopes=[_READ_GCS], always_use_jwt_access=True
        )
        account.refresh(None)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TrainingFailure(
            Reason.CREDENTIALS_REFUSED,
            "key serviceAccount of the Secret in spec.data.source.credentials is not the JSON "
            "document of a key of a service account; write it as Google gives it",
        ) from error
    return {
        **options,
        "access_token": account.token,
        "credential_token_expiration": now + _TOKEN_LIFE,
    }


def azure_options(endpoint: Endpoint, keys: Mapping[str, str]) -> dict[str, Any]:
    """Build the options of Arrow's AzureFileSystem."""
    account, _, domain = endpoint.authority.partition(".")
    return {
        "account_name": account,
        "blob_storage_authority": f".{domain}",
        "blob_storage_scheme": endpoint.scheme,
        "dfs_storage_authority": f".{domain.replace('blob.', 'dfs.', 1)}",
        "dfs_storage_scheme": endpoint.scheme,
        "account_key": keys.get("accountKey"),
        "sas_token": keys.get("sasToken"),
    }


def azure_anonymous(endpoint: Endpoint, container: str) -> str:
    """Build the address by which Arrow asks Azure as nobody."""
    account, _, domain = endpoint.authority.partition(".")
    options = {
        "blob_storage_authority": f".{domain}",
        "dfs_storage_authority": f".{domain.replace('blob.', 'dfs.', 1)}",
        "enable_tls": "true" if endpoint.scheme == "https" else "false",
        "credential_kind": "anonymous",
    }
    return f"abfs://{account}@{container}?{urllib.parse.urlencode(options)}"


def explain_store(error: Exception, name: str, proxy: Relay | None = None) -> TrainingFailure:
    """Tell a store that refuses the user from one without such a file or in trouble."""
    found = _CODES.search(str(error))
    codes = [code for code in found.groups() if code] if found else []
    said = " ".join(codes).lower().replace("_", " ")
    if _REFUSALS & set(codes):
        return TrainingFailure(
            Reason.CREDENTIALS_REFUSED,
            f"{name} was refused by the store ({said}); give the user the right to read and to "
            "list it, or correct the Secret in spec.data.source.credentials",
        )
    if isinstance(error, FileNotFoundError) or _ABSENT & set(codes):
        return _absent(name)
    if _ELSEWHERE & set(codes):
        return TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE,
            f"{name} is not where the store was asked for it ({said}); set spec.data.source.region "
            "or endpoint to the bucket's own",
        )
    # Of what tells no code, nothing says that it stays so.
    passes = isinstance(error, OSError) and all(map(_may_pass, codes))
    if proxy is not None and proxy.trouble is not None:
        cause = proxy.trouble
        said = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else str(cause)
        passes = may_pass(cause)
    elif "SSL" in str(error) or "TLS" in str(error):
        said, passes = "TLS failed; its certificate may not be trusted", False
    return TrainingFailure(
        Reason.DATA_SOURCE_UNAVAILABLE,
        f"{name} cannot be read{': ' if said else ''}{said}; "
        "check spec.data.source.uri and endpoint",
        trouble=Trouble(name, said or "it cannot be read") if passes else None,
    )


def _may_pass(code: str) -> bool:
    return answer_may_pass(int(code)) if code.isdigit() else code in _BUSY


def _list(store: fs.FileSystem, path: str, config: DataConfig, source: str) -> Sequence[DataFile]:
    scheme = config.uri.partition("://")[0]

    def file(info: fs.FileInfo, below: str) -> DataFile:
        name = f"{scheme}://{info.path}"
        return DataFile(
            path=below, name=name, open=lambda: cast("IO[bytes]", _StoreFile(store, info, name))
        )

    folder = path.rstrip("/")
    if not path.endswith("/"):
        info = store.get_file_info(path)
        if info.type is fs.FileType.NotFound:
            raise _absent(source)
        if info.type is fs.FileType.File:
            return [file(info, info.base_name)]
    try:
        infos = store.get_file_info(fs.FileSelector(folder, recursive=True))
    except FileNotFoundError:
        infos = []
    files = [
        file(each, each.path[len(folder) + 1 :]) for each in infos if each.type is fs.FileType.File
    ]
    return choose_files(files, config, source=source)


def _list_table(
    store: fs.FileSystem, path: str, config: DataConfig, environment: Environment
) -> Sequence[DataFile]:
    root = path.rstrip("/")
    name = f"{config.uri.partition('://')[0]}://{root}"

    def list_below(below: str) -> Sequence[str]:
        folder = f"{root}/{below}"
        try:
            infos = store.get_file_info(fs.FileSelector(folder, recursive=True))
        except FileNotFoundError:
            return ()
        return [e.path[len(folder) + 1 :] for e in infos if e.type is fs.FileType.File]

    def open_below(below: str) -> IO[bytes]:
        info = store.get_file_info(f"{root}/{below}")
        if info.type is not fs.FileType.File:
            raise _absent(f"{name}/{below}")
        return cast("IO[bytes]", _StoreFile(store, info, f"{name}/{below}"))

    folder = Folder(name=name, list=list_below, open=open_below)
    return find_table(folder, config, scratch=environment.scratch)


class _StoreFile(io.RawIOBase):
    """A file of a store, whose troubles are told in our words."""

    def __init__(self, store: fs.FileSystem, info: fs.FileInfo, name: str) -> None:
        self._name = name
        # Of Google's client, only a stream can be read: by place, it waits without an end.
        self._jumps = isinstance(store, fs.S3FileSystem)
        start = store.open_input_file if self._jumps else store.open_input_stream
        self._file = self._try(lambda: start(info.path))
        self._size = int(info.size)
        self._position = 0

    def _try(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (OSError, pa.ArrowException) as error:
            raise explain_store(error, self._name) from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._jumps

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if not self._jumps:
            raise io.UnsupportedOperation("seek")
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        read = self._try(
            lambda: (
                self._file.read_at(wanted, self._position)
                if self._jumps
                else self._file.read(wanted)
            )
        )
        buffer[: len(read)] = read
        self._position += len(read)
        return len(read)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@contextlib.contextmanager
def _opened(
    scheme: str,
    config: DataConfig,
    endpoint: Endpoint,
    environment: Environment,
    proxy: Relay,
) -> Iterator[fs.FileSystem]:
    keys = environment.data_keys
    if scheme == "s3":
        with write_authority(environment) as authority, _variables(_NO_METADATA):
            trusted = authority or ssl.get_default_verify_paths().cafile or ""
            yield fs.S3FileSystem(
                **s3_options(config, endpoint, keys, proxy=proxy.address, authority=trusted)
            )
        return
    # These two clients know no other way to be told of a proxy.
    names = ("http_proxy", "https_proxy", "HTTPS_PROXY")
    with _variables(dict.fromkeys(names, proxy.address) | {"no_proxy": "", "NO_PROXY": ""}):
        if scheme == "gs":
            now = datetime.datetime.now(datetime.UTC)  # noqa: TID251  of a token, not of a decision
            yield fs.GcsFileSystem(**gcs_options(endpoint, keys, now=now))
        elif keys:
            yield fs.AzureFileSystem(**azure_options(endpoint, keys))
        else:
            container = config.uri.partition("://")[2].partition("/")[0]
            yield fs.FileSystem.from_uri(azure_anonymous(endpoint, container))[0]


# The client of AWS would ask a cloud's machine for a region and for credentials of its own.
_NO_METADATA: Final = {"AWS_EC2_METADATA_DISABLED": "true"}


@contextlib.contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    environ = os.environ  # noqa: TID251  what is set here is read by those libraries alone
    before = {name: environ.get(name) for name in values}
    environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value


def _leads_to(config: DataConfig, endpoint: Endpoint, host: str, port: int) -> bool:
    """Tell whether a store's client may be led to a host: to the endpoint, and no further."""
    bucket = config.uri.partition("://")[2].partition("/")[0]
    hosts = {endpoint.host, f"{bucket}.{endpoint.host}"}
    if config.uri.startswith("az:"):
        hosts = {endpoint.host, endpoint.host.replace(".blob.", ".dfs.", 1)}
    return port == endpoint.port and tidy(host) in set(map(tidy, hosts))


def _check_keys(scheme: str, environment: Environment) -> None:
    """Refuse a Secret without what this store asks for, which would else be read as nobody."""
    if not environment.data_secret or (environment.data_authority and not environment.data_keys):
        return
    names = list(STORE_KEYS[scheme])
    needed = ["accessKeyId", "secretAccessKey"] if scheme == "s3" else names
    given = [name for name in needed if name in environment.data_keys]
    if given == needed or (scheme == "az" and given):
        return
    missing = [name for name in needed if name not in given]
    raise TrainingFailure(
        Reason.CREDENTIALS_REFUSED,
        f"Secret {environment.data_secret} has no key "
        f"{(' or ' if scheme == 'az' else ' and no key ').join(missing)}, which a source of "
        f"{scheme}:// needs; add it, or leave spec.data.source.credentials out to read as nobody",
    )


def _absent(name: str) -> TrainingFailure:
    return AbsentError(
        Reason.DATA_SOURCE_UNAVAILABLE,
        f"there is no file and no folder {name} in the store; check spec.data.source.uri",
    )


def _invalid(message: str) -> TrainingFailure:
    return TrainingFailure(Reason.CONFIG_INVALID, message)
