"""How a store is asked, and what is said of its answers.

tests/integration/training/test_object_store.py reads from a real one.
"""

import datetime
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pyarrow import fs

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.store import (
    Endpoint,
    azure_anonymous,
    azure_options,
    explain_store,
    find_endpoint,
    gcs_options,
    read_store,
    s3_options,
)
from support.reading import environment, use_names
from support.trainer_config import data_config

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
S3_KEYS = {"accessKeyId": "id", "secretAccessKey": "key"}
ACCOUNT = "https://acc.blob.core.windows.net"


@pytest.mark.parametrize(
    ("uri", "changes", "expected"),
    [
        pytest.param("s3://b/k", {}, "https://s3.us-east-1.amazonaws.com:443", id="AWS"),
        pytest.param("s3://b/k", {"region": "eu-central-1"},
                     "https://s3.eu-central-1.amazonaws.com:443", id="a region"),
        pytest.param("s3://b/k", {"region": "cn-north-1"},
                     "https://s3.cn-north-1.amazonaws.com.cn:443", id="a region in China"),
        pytest.param("s3://b/k", {"endpoint": "http://minio.storage:9000/"},
                     "http://minio.storage:9000", id="a server of one's own"),
        pytest.param("s3://b/k", {"endpoint": "http://[fd00::1]:9000"}, "http://fd00::1:9000",
                     id="an address of IPv6"),
        pytest.param("gs://b/k", {}, "https://storage.googleapis.com:443", id="Google"),
        pytest.param("az://c/k", {"endpoint": ACCOUNT},
                     "https://acc.blob.core.windows.net:443", id="an account of Azure"),
    ],
)  # fmt: skip
def test_where_a_store_answers(uri: str, changes: dict[str, Any], expected: str) -> None:
    endpoint = find_endpoint(data_config(uri=uri, **changes))

    assert f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}" == expected


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        pytest.param("az://c/k", None, id="Azure without an account"),
        pytest.param("s3://b/k", "ftp://h", id="another scheme"),
        pytest.param("s3://b/k", "https://", id="no host"),
        pytest.param("s3://b/k", "https://h:99999", id="no port"),
        pytest.param("s3://b/k", "https://h/path", id="a path"),
        pytest.param("s3://b/k", "https://me:secret@h", id="a user"),
    ],
)
def test_an_endpoint_that_is_none_is_said(uri: str, endpoint: str | None) -> None:
    with pytest.raises(TrainingFailure, match=r"spec\.data\.source\.endpoint") as caught:
        find_endpoint(data_config(uri=uri, endpoint=endpoint))

    assert caught.value.reason is Reason.CONFIG_INVALID
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("changes", "keys", "expected"),
    [
        pytest.param({}, {}, {"anonymous": True, "region": "us-east-1",
                              "force_virtual_addressing": False}, id="as nobody"),
        pytest.param({}, S3_KEYS, {"access_key": "id", "secret_key": "key", "session_token": None},
                     id="a key"),
        pytest.param({}, {**S3_KEYS, "sessionToken": "t"}, {"session_token": "t"}, id="a session"),
        pytest.param({"region": "eu-west-1"}, {}, {"region": "eu-west-1"}, id="a region"),
        pytest.param({"pathStyle": False}, {}, {"force_virtual_addressing": True},
                     id="the bucket in the host"),
        pytest.param({"endpoint": "http://minio:9000"}, {},
                     {"scheme": "http", "endpoint_override": "minio:9000"}, id="a server"),
    ],
)  # fmt: skip
def test_options_of_s3(
    changes: dict[str, Any], keys: dict[str, str], expected: dict[str, Any]
) -> None:
    config = data_config(uri="s3://b/k", **changes)

    options = s3_options(
        config, find_endpoint(config), keys, proxy="http://127.0.0.1:1", authority="/ca"
    )

    assert options | expected == options
    assert (options["proxy_options"], options["tls_ca_file_path"]) == ("http://127.0.0.1:1", "/ca")
    fs.S3FileSystem(**options)


def service_account() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "reader@project.iam.gserviceaccount.com",
            "private_key": pem.decode(),
            "private_key_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


def test_options_of_google_with_a_token_that_is_signed_here() -> None:
    endpoint = Endpoint(scheme="https", host="storage.googleapis.com", port=443)

    options = gcs_options(endpoint, {"serviceAccount": service_account()}, now=NOW)

    assert options["access_token"].count(".") == 2
    assert options["credential_token_expiration"] > NOW
    fs.GcsFileSystem(**options)


def test_options_of_google_as_nobody() -> None:
    endpoint = Endpoint(scheme="http", host="gcs.storage", port=4443)

    options = gcs_options(endpoint, {}, now=NOW)

    assert options["anonymous"] is True
    assert (options["scheme"], options["endpoint_override"]) == ("http", "gcs.storage:4443")
    fs.GcsFileSystem(**options)


@pytest.mark.parametrize("key", ["", "{}", "no JSON", '{"client_email": "x", "private_key": "y"}'])
def test_a_key_of_google_that_is_none_is_said(key: str) -> None:
    endpoint = Endpoint(scheme="https", host="storage.googleapis.com", port=443)

    with pytest.raises(TrainingFailure, match="key serviceAccount") as caught:
        gcs_options(endpoint, {"serviceAccount": key}, now=NOW)

    assert caught.value.reason is Reason.CREDENTIALS_REFUSED


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param({"accountKey": "a2V5"}, {"account_key": "a2V5", "sas_token": None}, id="key"),
        pytest.param({"sasToken": "sv=1"}, {"account_key": None, "sas_token": "sv=1"}, id="SAS"),
    ],
)
def test_options_of_azure(keys: dict[str, str], expected: dict[str, Any]) -> None:
    options = azure_options(find_endpoint(data_config(uri="az://c/k", endpoint=ACCOUNT)), keys)

    assert options == {
        "account_name": "acc",
        "blob_storage_authority": ".blob.core.windows.net",
        "blob_storage_scheme": "https",
        "dfs_storage_authority": ".dfs.core.windows.net",
        "dfs_storage_scheme": "https",
        **expected,
    }
    fs.AzureFileSystem(**options)


def test_azure_is_asked_as_nobody_by_an_address() -> None:
    """Arrow's own options know no such way, and would ask the cloud's machine for credentials."""
    endpoint = find_endpoint(data_config(uri="az://c/k", endpoint=ACCOUNT))

    store, path = fs.FileSystem.from_uri(azure_anonymous(endpoint, "c"))

    assert isinstance(store, fs.AzureFileSystem)
    assert path.rstrip("/") == "c"


_PASSING = ("internal failure", "slow down", "unknown 503", "s3://b/k cannot be read;")


@pytest.mark.parametrize(
    ("said", "reason", "told"),
    [
        pytest.param("AWS Error ACCESS_DENIED during HeadObject operation: No response body.",
                     Reason.CREDENTIALS_REFUSED, "(access denied)", id="no right"),
        pytest.param("AWS Error UNKNOWN (HTTP status 403) during HeadObject operation: s3cret",
                     Reason.CREDENTIALS_REFUSED, "(unknown 403)", id="a status"),
        pytest.param("AWS Error SIGNATURE_DOES_NOT_MATCH during ListObjectsV2 operation: s3cret",
                     Reason.CREDENTIALS_REFUSED, "(signature does not match)", id="a wrong key"),
        pytest.param("AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation: s3cret",
                     Reason.DATA_SOURCE_UNAVAILABLE, "no file and no folder", id="no bucket"),
        pytest.param("AWS Error UNKNOWN (HTTP status 301) during HeadObject operation: s3cret",
                     Reason.DATA_SOURCE_UNAVAILABLE, "spec.data.source.region", id="elsewhere"),
        pytest.param("AWS Error INTERNAL_FAILURE during GetObject operation: s3cret",
                     Reason.DATA_SOURCE_UNAVAILABLE, "internal failure", id="a store in trouble"),
        pytest.param("AWS Error SLOW_DOWN during GetObject operation: s3cret",
                     Reason.DATA_SOURCE_UNAVAILABLE, "slow down", id="too much to do"),
        pytest.param("AWS Error UNKNOWN (HTTP status 503) during GetObject operation: s3cret",
                     Reason.DATA_SOURCE_UNAVAILABLE, "unknown 503", id="a status in trouble"),
        pytest.param("AWS Error UNKNOWN (HTTP status 412) during GetObject operation: s3cret",
                     Reason.DATA_SOURCE_UNAVAILABLE, "unknown 412", id="another status"),
        pytest.param("google::cloud::Status(PERMISSION_DENIED: s3cret)",
                     Reason.CREDENTIALS_REFUSED, "(permission denied)", id="Google: no right"),
        pytest.param("Azure Error: 403 Forbidden s3cret",
                     Reason.CREDENTIALS_REFUSED, "(403)", id="Azure: no right"),
        pytest.param("AWS Error NETWORK_CONNECTION during HeadObject operation: SSL s3cret",
                     Reason.DATA_SOURCE_UNAVAILABLE, "TLS failed", id="no trust"),
        pytest.param("s3cret", Reason.DATA_SOURCE_UNAVAILABLE, "s3://b/k cannot be read;",
                     id="anything else"),
    ],
)  # fmt: skip
def test_an_answer_is_told_by_its_code_alone(said: str, reason: Reason, told: str) -> None:
    failure = explain_store(OSError(said), "s3://b/k")

    assert failure.reason is reason
    assert told in failure.message
    assert "s3cret" not in failure.message
    assert (failure.trouble is not None) == (told in _PASSING)
    assert "s3cret" not in str(failure.trouble)


@pytest.mark.parametrize(
    ("scheme", "keys", "said"),
    [
        pytest.param("s3", {}, "no key accessKeyId and no key secretAccessKey", id="S3: none"),
        pytest.param("s3", {"accessKeyId": "x"}, "no key secretAccessKey", id="S3: half"),
        pytest.param("gs", {}, "no key serviceAccount", id="Google"),
        pytest.param("az", {}, "no key accountKey or sasToken", id="Azure"),
    ],
)
def test_a_secret_without_the_keys_of_a_store_is_said(
    scheme: str, keys: dict[str, str], said: str
) -> None:
    """Else the store would be read as nobody, without a word."""
    config = data_config(uri=f"{scheme}://b/k.csv", endpoint=ACCOUNT)

    with pytest.raises(TrainingFailure, match=said) as caught:
        read_store(config, environment(data_keys=keys, data_hosts="*.core.windows.net"), None)

    assert caught.value.reason is Reason.CREDENTIALS_REFUSED


class _Google(http.server.BaseHTTPRequestHandler):
    """Has one object, as Google's JSON API tells of it."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(f"{self.headers['Host'].partition(':')[0]} {self.path.split('?')[0]}")
        if "alt=media" in self.path or "/download/" in self.path or self.path.startswith("/b/"):
            self._answer(b"a,b\n1,2\n")
        else:
            self._answer(
                json.dumps(
                    {"kind": "storage#object", "bucket": "b", "name": "k.csv", "size": "8",
                     "generation": "1", "metageneration": "1"}
                ).encode()
            )  # fmt: skip

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(name="google")
def _google() -> Iterator[int]:
    _Google.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Google) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_google_is_asked_through_the_relay(google: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that only the judge can resolve."""
    use_names(monkeypatch, gcs__example="127.0.0.1")
    config = data_config(uri="gs://b/k.csv", endpoint=f"http://gcs.example:{google}")

    frame = read_store(config, environment(allowed="127.0.0.1", data_secret=""), None)

    assert frame.to_dict("list") == {"a": [1], "b": [2]}
    assert all(each.startswith("gcs.example ") for each in _Google.asked)


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        pytest.param("s3://b/k.csv", "http://cloud.example", id="S3"),
        pytest.param("s3://b/k.csv", "https://169.254.169.254", id="S3, by an address"),
        pytest.param("gs://b/k.csv", "http://cloud.example", id="Google"),
        pytest.param("az://b/k.csv", "http://acc.blob.example", id="Azure"),
    ],
)
def test_an_endpoint_may_be_where_a_source_may_be(
    uri: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"cloud__example": "169.254.169.254", "acc__blob__example": "169.254.169.254",
             "acc__dfs__example": "169.254.169.254"}  # fmt: skip
    use_names(monkeypatch, **names)

    with pytest.raises(TrainingFailure, match="a link-local address") as caught:
        read_store(data_config(uri=uri, endpoint=endpoint), environment(data_secret=""), None)

    assert caught.value.reason is Reason.SOURCE_NOT_ALLOWED
