"""MLflow's variables: what is read from them, and what is refused instead of being misread."""

import ssl
from pathlib import Path

import pytest

from fairlead_contract.mlflow import (
    Access,
    InvalidAccessError,
    describe_answer,
    read_access,
    with_secret,
)

ADDRESS = {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}
PAIR = {"MLFLOW_TRACKING_USERNAME": "anna", "MLFLOW_TRACKING_PASSWORD": "hush"}
TOKEN = {"MLFLOW_TRACKING_TOKEN": "hush"}
BASIC = {"Authorization": "Basic YW5uYTpodXNo"}


@pytest.mark.parametrize(
    ("variables", "headers"),
    [
        pytest.param({}, {}, id="open to everyone"),
        pytest.param(PAIR, BASIC, id="name and password"),
        pytest.param(TOKEN, {"Authorization": "Bearer hush"}, id="a token"),
        pytest.param(PAIR | TOKEN, BASIC, id="name and password win over a token"),
        pytest.param(
            {"MLFLOW_TRACKING_USERNAME": "", "MLFLOW_TRACKING_TOKEN": ""}, {}, id="set to nothing"
        ),
    ],
)
def test_the_headers(variables: dict[str, str], headers: dict[str, str]) -> None:
    assert read_access(ADDRESS | variables).headers == headers


@pytest.mark.parametrize(
    ("given", "address"),
    [
        pytest.param("http://mlflow:5000/", "http://mlflow:5000", id="a slash at the end"),
        pytest.param(" https://ml.example/mlflow\n", "https://ml.example/mlflow", id="a path"),
    ],
)
def test_the_address(given: str, address: str) -> None:
    assert read_access({"MLFLOW_TRACKING_URI": given}).address == address


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param(
            {"MLFLOW_TRACKING_URI": ""}, "MLFLOW_TRACKING_URI is not set", id="no address"
        ),
        pytest.param(
            {"MLFLOW_TRACKING_URI": "file:///mlruns"}, "give an http:// or https://", id="a folder"
        ),
        pytest.param({"MLFLOW_TRACKING_URI": "http://"}, "give an http:// or", id="no host"),
        pytest.param({"MLFLOW_TRACKING_URI": "http://[::1"}, "not an address", id="half a host"),
        pytest.param(
            {"MLFLOW_TRACKING_URI": "https://anna:hush@mlflow"},
            "give them in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            id="credentials in the address",
        ),
        pytest.param(
            {"MLFLOW_TRACKING_USERNAME": "anna"},
            "MLFLOW_TRACKING_USERNAME is set without MLFLOW_TRACKING_PASSWORD",
            id="a name alone",
        ),
        pytest.param(
            {"MLFLOW_TRACKING_PASSWORD": "hush"},
            "MLFLOW_TRACKING_PASSWORD is set without MLFLOW_TRACKING_USERNAME",
            id="a password alone",
        ),
        pytest.param(
            {"MLFLOW_TRACKING_TOKEN": "hush\n"}, "MLFLOW_TRACKING_TOKEN has", id="a line break"
        ),
        pytest.param(
            {"MLFLOW_TRACKING_INSECURE_TLS": "yes"},
            "MLFLOW_TRACKING_INSECURE_TLS is 'yes'; give true or false",
            id="neither true nor false",
        ),
        pytest.param(
            {"MLFLOW_TRACKING_SERVER_CERT_PATH": ""},
            "MLFLOW_TRACKING_SERVER_CERT_PATH is empty",
            id="no certificates, which MLflow would take for no verification",
        ),
        pytest.param(
            {
                "MLFLOW_TRACKING_INSECURE_TLS": "true",
                "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.crt",
            },
            "contradict each other",
            id="verified and not verified",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(variables: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidAccessError, match=message) as refusal:
        read_access(ADDRESS | variables)

    assert "hush" not in str(refusal.value)


def test_no_secret_is_shown() -> None:
    assert "hush" not in repr(read_access(ADDRESS | PAIR | TOKEN))


def test_the_library_verifies_unless_told_otherwise() -> None:
    assert read_access(ADDRESS | {"MLFLOW_TRACKING_INSECURE_TLS": "0"}).tls() is None


def test_verification_can_be_turned_off() -> None:
    tls = read_access(ADDRESS | {"MLFLOW_TRACKING_INSECURE_TLS": "True"}).tls()

    assert tls is not None
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_NONE, False)


def test_certificates_in_a_directory_are_trusted(tmp_path: Path) -> None:
    tls = Access(address="https://mlflow", certificates=str(tmp_path)).tls()

    assert tls is not None
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_text(content)

    with pytest.raises(InvalidAccessError, match=r"MLFLOW_TRACKING_SERVER_CERT_PATH is .*ca\.crt"):
        Access(address="https://mlflow", certificates=str(path)).tls()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        pytest.param(
            503, '{"message": "the bucket is not there"}', "HTTP 503: the bucket is not there; it",
            id="MLflow's words",
        ),
        pytest.param(503, "Endpoint disabled", "HTTP 503: Endpoint disabled; it", id="plain words"),
        pytest.param(401, "<html>hush", "HTTP 401 in place of JSON; check the user", id="a page"),
        pytest.param(302, "", "HTTP 302 in place of JSON; check that MLFLOW", id="nothing"),
        pytest.param(200, "[1]", "HTTP 200 in place of JSON; check that MLFLOW", id="no object"),
    ],
)  # fmt: skip
def test_what_comes_in_place_of_an_answer(status: int, body: str, said: str) -> None:
    assert describe_answer("mlflow:5000", status, body).startswith(f"mlflow:5000 answered {said}")


@pytest.mark.parametrize(
    ("files", "variables", "told"),
    [
        pytest.param({}, PAIR, PAIR, id="an empty Secret"),
        pytest.param({"username": "anna", "password": "hush\n"}, {}, PAIR, id="a line break"),
        pytest.param({"token": "hush"}, {}, TOKEN, id="a token"),
        pytest.param({"password": "hush"}, {"MLFLOW_TRACKING_USERNAME": "anna"}, PAIR, id="half"),
        pytest.param(
            {"username": "anna", "password": "hush"},
            {"MLFLOW_TRACKING_USERNAME": "otto", "MLFLOW_TRACKING_PASSWORD": "old"},
            PAIR,
            id="the Secret wins",
        ),
        pytest.param({"username": "\n", "token": ""}, {}, {}, id="blank keys"),
        pytest.param({"LD_PRELOAD": "x"}, {}, {}, id="another key sets no variable"),
        pytest.param({"ca.crt": " "}, {}, {}, id="no certificate: as usual, and not unverified"),
    ],
)
def test_what_a_mounted_secret_says(
    tmp_path: Path, files: dict[str, str], variables: dict[str, str], told: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    folder = {"FAIRLEAD_MLFLOW_SECRET": str(tmp_path)}

    assert with_secret(folder | variables) == folder | told


def test_certificates_in_a_mounted_secret_are_trusted(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----")

    told = with_secret({"FAIRLEAD_MLFLOW_SECRET": str(tmp_path)})

    assert told["MLFLOW_TRACKING_SERVER_CERT_PATH"] == str(tmp_path / "ca.crt")


@pytest.mark.parametrize("place", [{}, {"FAIRLEAD_MLFLOW_SECRET": "/nowhere"}], ids=["no", "gone"])
def test_without_a_mounted_secret_the_variables_stay(place: dict[str, str]) -> None:
    assert with_secret(place | PAIR) == place | PAIR
