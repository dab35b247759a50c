"""The settings of the process; the only reader of its environment."""

import dataclasses
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from fairlead_contract import database, hosts, mlflow
from fairlead_contract.mlflow import Access
from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.api.group import DATABASE_SECRET
from fairlead_operator.kube.database_secret import Logins
from fairlead_operator.kube.generated import parse_generated
from fairlead_operator.kube.images import Images
from fairlead_operator.kube.metadata import CLUSTER_DOMAIN
from fairlead_operator.ports import Limits

_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SSL_MODE: Final = "FAIRLEAD_DATABASE_SSLMODE"
_AUTHORITY: Final = "FAIRLEAD_DATABASE_CA"  # a file
_LOGIN_AGE: Final = "FAIRLEAD_RENEW_AFTER_HOURS"
_LONGEST_DOMAIN: Final = 120  # characters, so that a Model's host is a DNS name


class MlflowSecrets(StrEnum):
    """Whose the Secrets are with which trainers and servers sign in to MLflow."""

    GIVEN = "given"  # the platform puts one into each namespace, where it has any
    MADE = "made"  # for users of ours, one a namespace
    SHARED = "shared"  # copies of the operator's own


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    namespace: str  # the operator's own
    identity: str  # the pod's name: who holds the Lease
    watch_namespaces: tuple[str, ...]  # empty: all
    images: Images
    mlflow: Access
    mlflow_secrets: MlflowSecrets = MlflowSecrets.GIVEN
    prometheus_url: str
    database_url: str = dataclasses.field(repr=False)
    logins: Logins = dataclasses.field(default_factory=Logins)  # of the pods in each namespace
    login_limits: Limits = dataclasses.field(default_factory=Limits)
    login_age: timedelta | None = None  # that a password which we made may reach; None: any
    record_retention: timedelta  # of predictions and feedback
    webhook_token: str  # a secret
    alert_labels: AlertLabels
    allow_artifact_code: bool = False  # whether a Model may let its versions bring code
    gateway_replicas: int
    cluster_domain: str  # under which Services have their names
    bind: str  # address at which it listens
    http_port: int
    webhook_port: int
    history_port: int  # on the loopback address alone
    log_format: str
    log_level: str
    allowed_sources: str = ""  # of what trainers do not read otherwise
    source_proxy: str = ""  # by which trainers reach what is outside
    no_proxy: str = ""  # of what is outside, what they reach without it
    secrets: Path = Path()  # where the Secrets of the variables are mounted, to notice a change
    # Keys of the release's Secrets, by name, that the operator has filled in.
    generated: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def source_variables(self) -> dict[str, str]:
        """Return what trainers are told of where they may read from."""
        return {
            hosts.CLUSTER_DOMAIN: self.cluster_domain,
            hosts.ALLOWED_SOURCES: self.allowed_sources,
            hosts.SOURCE_PROXY: self.source_proxy,
            hosts.NO_PROXY: self.no_proxy,
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment.

        Raises:
            SystemExit: names every variable that is missing, or one that cannot be meant.
        """
        env = os.environ if environment is None else environment
        needed = (
            "FAIRLEAD_TRAINING_IMAGE",
            "FAIRLEAD_SERVING_IMAGE",
            mlflow.ADDRESS,
            "FAIRLEAD_PROMETHEUS_URL",
            database.ADDRESS,
            "FAIRLEAD_WEBHOOK_TOKEN",
        )
        missing = [name for name in needed if not env.get(name)]
        if missing:
            raise SystemExit(f"set the environment variables {', '.join(missing)}")
        return cls(
            namespace=env.get("FAIRLEAD_NAMESPACE", "default"),
            identity=env.get("POD_NAME") or os.uname().nodename,
            watch_namespaces=_words(env.get("FAIRLEAD_WATCH_NAMESPACES", "")),
            images=Images(
                training=env["FAIRLEAD_TRAINING_IMAGE"],
                serving=env["FAIRLEAD_SERVING_IMAGE"],
                onnx=env.get("FAIRLEAD_ONNX_IMAGE", ""),
                pull_policy=env.get("FAIRLEAD_IMAGE_PULL_POLICY", "IfNotPresent"),
                pull_secrets=_words(env.get("FAIRLEAD_IMAGE_PULL_SECRETS", "")),
            ),
            mlflow=_read_mlflow(env),
            mlflow_secrets=_read_mlflow_secrets(env),
            prometheus_url=env["FAIRLEAD_PROMETHEUS_URL"],
            database_url=_read_database(env),
            logins=_read_logins(env),
            login_limits=_read_limits(env),
            login_age=timedelta(hours=hours) if (hours := _number(env, _LOGIN_AGE, 720)) else None,
            record_retention=timedelta(days=_number(env, "FAIRLEAD_RECORD_RETENTION_DAYS", 30)),
            webhook_token=env["FAIRLEAD_WEBHOOK_TOKEN"],
            alert_labels=AlertLabels(
                namespace=env.get("FAIRLEAD_ALERT_LABEL_NAMESPACE") or AlertLabels().namespace,
                model=env.get("FAIRLEAD_ALERT_LABEL_MODEL") or AlertLabels().model,
                version=env.get("FAIRLEAD_ALERT_LABEL_VERSION") or AlertLabels().version,
            ),
            allow_artifact_code=_flag(env, "FAIRLEAD_ALLOW_ARTIFACT_CODE", default=False),
            gateway_replicas=_number(env, "FAIRLEAD_GATEWAY_REPLICAS", 1),
            cluster_domain=_domain(env, hosts.CLUSTER_DOMAIN, CLUSTER_DOMAIN),
            bind=env.get("FAIRLEAD_BIND", "0.0.0.0"),  # noqa: S104  a pod's ports
            http_port=_number(env, "FAIRLEAD_HTTP_PORT", 8080),
            webhook_port=_number(env, "FAIRLEAD_WEBHOOK_PORT", 8443),
            history_port=_number(env, "FAIRLEAD_HISTORY_PORT", 8081),
            log_format=env.get("FAIRLEAD_LOG_FORMAT", "json"),
            log_level=env.get("FAIRLEAD_LOG_LEVEL", "INFO"),
            allowed_sources=_read_hosts(env, hosts.ALLOWED_SOURCES),
            source_proxy=_read_proxy(env),
            no_proxy=_read_hosts(env, hosts.NO_PROXY),
            secrets=Path(env.get("FAIRLEAD_SECRETS") or "/var/run/fairlead/secrets"),
            generated=parse_generated(env.get("FAIRLEAD_GENERATED_SECRETS", "").split()),
        )


def _read_mlflow(env: Mapping[str, str]) -> Access:
    try:
        return mlflow.read_access(mlflow.with_secret(env))
    except mlflow.InvalidAccessError as error:
        raise SystemExit(str(error)) from error


def _read_mlflow_secrets(env: Mapping[str, str]) -> MlflowSecrets:
    name = "FAIRLEAD_MLFLOW_SECRETS"
    text = env.get(name) or MlflowSecrets.GIVEN
    if text not in list(MlflowSecrets):
        raise SystemExit(f"{name} is {text!r}; it must be one of {', '.join(MlflowSecrets)}")
    return MlflowSecrets(text)


def _read_database(env: Mapping[str, str]) -> str:
    try:
        address = database.check_address(env[database.ADDRESS])
    except database.InvalidAddressError as error:
        raise SystemExit(f"{database.ADDRESS}: {error}") from error
    mode, authority = env.get(_SSL_MODE), env.get(_AUTHORITY)
    told = {"sslmode": mode, "sslrootcert": authority}
    address = database.rewrite(address, {name: value for name, value in told.items() if value})
    mode = database.read_parameter(address, "sslmode") or ""
    trusted = authority or database.read_parameter(address, "sslrootcert") == "system"
    if mode.startswith("verify-") and not trusted:
        raise SystemExit(
            f"{database.ADDRESS}: sslmode {mode} needs the authority that signs the database's "
            "certificate, for the operator and for every namespace: set externalDatabase.caSecret "
            "to a Secret with key ca.crt, or sslrootcert=system in the address"
        )
    return address


def _read_logins(env: Mapping[str, str]) -> Logins:
    return Logins(
        secret=env.get("FAIRLEAD_LOGIN_SECRET") or DATABASE_SECRET,
        is_shared=_flag(env, "FAIRLEAD_SHARE_OPERATOR_LOGIN", default=False),
        ca=_read_authority(env),
    )


def _read_authority(env: Mapping[str, str]) -> str:
    if not env.get(_AUTHORITY):
        return ""
    try:
        return Path(env[_AUTHORITY]).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SystemExit(
            f"{_AUTHORITY}: {error}; the Secret of externalDatabase.caSecret needs key ca.crt"
        ) from error


def _read_limits(env: Mapping[str, str]) -> Limits:
    usual = Limits()
    seconds = int(usual.statement.total_seconds())
    return Limits(
        connections=_number(env, "FAIRLEAD_LOGIN_CONNECTIONS", usual.connections),
        statement=timedelta(seconds=_number(env, "FAIRLEAD_LOGIN_STATEMENT_SECONDS", seconds)),
        predictions=_number(env, "FAIRLEAD_LOGIN_PREDICTIONS_PER_DAY", usual.predictions),
        feedback=_number(env, "FAIRLEAD_LOGIN_FEEDBACK_PER_DAY", usual.feedback),
    )


def _read_hosts(env: Mapping[str, str], name: str) -> str:
    text = env.get(name, "")
    try:
        hosts.parse_hosts(text)
    except hosts.InvalidHostError as error:
        raise SystemExit(f"{name}: {error}") from error
    return text


def _read_proxy(env: Mapping[str, str]) -> str:
    text = env.get(hosts.SOURCE_PROXY, "")
    try:
        hosts.parse_proxy(text)
    except hosts.InvalidHostError as error:
        raise SystemExit(f"{hosts.SOURCE_PROXY}: {error}") from error
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _domain(env: Mapping[str, str], name: str, default: str) -> str:
    text = (env.get(name) or default).lower().strip(".")
    if len(text) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(text):
        raise SystemExit(f"{name} is {text!r}; it must be a DNS name such as {default}")
    return text


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = env.get(name) or str(default).lower()
    if text not in {"true", "false"}:
        raise SystemExit(f"{name} is {text!r}; it must be true or false")
    return text == "true"


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdigit():
        raise SystemExit(f"{name} is {text!r}; it must be a whole number")
    return int(text)
