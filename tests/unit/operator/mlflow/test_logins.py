"""What the pods of a namespace sign in to MLflow with, and what becomes of it."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from fairlead_contract.mlflow import Access
from fairlead_operator.errors import ClusterRefusalError, TakenError, TransientError
from fairlead_operator.kube.kinds import MLFLOW_SECRETS
from fairlead_operator.kube.mlflow_secret import build_mlflow_secret
from fairlead_operator.kube.store import Place, Store
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.mlflow.logins import GivenLogins, OwnLogins, SharedLogins, read_contents
from fairlead_operator.renewal import SPREAD
from support.fake_logins import FakeDirectory
from support.fakes import Clock, FakeKube

USER = "fairlead/energy"
LATER = TransientError("mlflow: no answer")


@pytest.fixture(name="cluster")
def _cluster() -> FakeKube:
    return FakeKube(Clock())


@pytest.fixture(name="kube")
def _kube(cluster: FakeKube) -> WatchedKube:
    return WatchedKube(cluster, Store())


@pytest.fixture(name="directory")
def _directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture(name="logins")
def _logins(directory: FakeDirectory) -> OwnLogins:
    return OwnLogins(directory, now=Clock())


def contents(cluster: FakeKube, namespace: str = "energy") -> dict[str, str]:
    secret = cluster.objects.get(("Secret", namespace, "fairlead-mlflow"))
    data = (secret or {}).get("data") or {}
    return {key: b64decode(value).decode() for key, value in data.items()}


async def test_a_namespace_gets_a_user_whose_password_it_alone_has(
    logins: OwnLogins, directory: FakeDirectory, cluster: FakeKube, kube: WatchedKube
) -> None:
    await logins.admit("energy", kube)
    await logins.admit("shop", kube)

    assert contents(cluster) == {"username": USER, "password": directory.users[USER]}
    assert len(directory.users[USER]) == 48
    assert directory.users[USER] != directory.users["fairlead/shop"]
    assert directory.granted == [(USER, "energy"), ("fairlead/shop", "shop")]


async def test_who_is_admitted_costs_nothing_until_it_is_about_to_need_it(
    logins: OwnLogins, directory: FakeDirectory, cluster: FakeKube, kube: WatchedKube
) -> None:
    await logins.admit("energy", kube)
    cluster.writes.clear()

    await logins.admit("energy", kube)
    assert (directory.asked, cluster.writes) == (1, [])
    await logins.admit("energy", kube, model="nsw-price")

    assert directory.asked == 2
    assert directory.models == [("energy/nsw-price", "energy.nsw-price")]


def take_away(cluster: FakeKube) -> None:
    del cluster.objects["Secret", "energy", "fairlead-mlflow"]


def exchange(cluster: FakeKube) -> None:
    cluster.objects["Secret", "energy", "fairlead-mlflow"]["data"]["password"] = "c2hvcnQ="


@pytest.mark.parametrize("change", [take_away, exchange])
@pytest.mark.parametrize("shared", [False, True], ids=["a user of its own", "the operator's"])
async def test_what_is_done_to_the_secret_is_undone_at_the_next_look(
    directory: FakeDirectory,
    cluster: FakeKube,
    kube: WatchedKube,
    change: Callable[[FakeKube], None],
    *,
    shared: bool,
) -> None:
    """It was noticed at the next training or rollout alone; until then no new pod signed in."""
    access = Access(address="http://mlflow", username=USER, password="hush")
    logins = SharedLogins(access) if shared else OwnLogins(directory, now=Clock())
    await logins.admit("energy", kube)
    await logins.admit("energy", kube)
    writes = len(cluster.writes)
    change(cluster)

    await logins.admit("energy", kube)

    assert contents(cluster) == {
        "username": USER,
        "password": "hush" if shared else directory.users[USER],
    }
    assert (writes, len(cluster.writes) > writes) == (1, True), "what is as it was is left alone"


@pytest.mark.parametrize(
    ("password", "stays"),
    [
        pytest.param(b"0123456789abcdef", True, id="as it was made"),
        pytest.param(b"", False, id="emptied"),
        pytest.param(b"short", False, id="shorter than MLflow takes"),
        pytest.param(b"\xff" * 16, False, id="no text"),
        pytest.param(b"a line\nand another", False, id="more than a line"),
        pytest.param("schlüsselwörter".encode(), False, id="not ASCII"),
    ],
)
async def test_a_new_process_keeps_the_password_that_pods_have(
    logins: OwnLogins,
    directory: FakeDirectory,
    cluster: FakeKube,
    kube: WatchedKube,
    password: bytes,
    *,
    stays: bool,
) -> None:
    secret = build_mlflow_secret("energy", {"username": "admin"})
    secret["data"]["password"] = b64encode(password).decode()
    cluster.put(secret)

    await logins.admit("energy", kube)

    assert (directory.users[USER].encode() == password) is stays
    assert contents(cluster) == {"username": USER, "password": directory.users[USER]}


async def test_a_process_that_begins_anew_gives_nobody_another_password(
    directory: FakeDirectory, cluster: FakeKube
) -> None:
    await OwnLogins(directory, now=Clock()).admit(
        "energy", WatchedKube(cluster, Store()), model="nsw-price"
    )
    before = directory.users[USER]

    await OwnLogins(directory, now=Clock()).admit(
        "energy", WatchedKube(cluster, Store()), model="qld-price"
    )

    assert directory.users[USER] == before
    assert contents(cluster)["password"] == before


async def test_a_reading_that_tells_of_watched_secrets_alone_changes_no_password(
    logins: OwnLogins, directory: FakeDirectory, cluster: FakeKube
) -> None:
    """A reading removes from the store what its list does not tell of."""
    store = Store()
    kube = WatchedKube(cluster, store)
    await logins.admit("energy", kube)
    before = directory.users[USER]

    assert list(store.places("Secret")) == []
    store.remove(Place("Secret", "energy", "fairlead-mlflow"), version=cluster.newest)
    await logins.admit("energy", kube, model="nsw-price")

    assert directory.users[USER] == contents(cluster)["password"] == before


@pytest.mark.parametrize("shared", [False, True], ids=["a user of its own", "the operator's"])
async def test_another_process_takes_back_what_one_has_given(
    directory: FakeDirectory, cluster: FakeKube, *, shared: bool
) -> None:
    def begin() -> OwnLogins | SharedLogins:
        access = Access(address="http://mlflow", token="hush")
        return SharedLogins(access) if shared else OwnLogins(directory, now=Clock())

    await begin().admit("energy", WatchedKube(cluster, Store()))
    assert contents(cluster)

    await begin().dismiss("energy", WatchedKube(cluster, Store()))

    assert (directory.users, cluster.objects) == ({}, {})


async def test_models_of_a_namespace_that_are_looked_at_together_agree(
    logins: OwnLogins, directory: FakeDirectory, cluster: FakeKube, kube: WatchedKube
) -> None:
    await asyncio.gather(*(logins.admit("energy", kube, model=f"m{n}") for n in range(5)))

    assert contents(cluster)["password"] == directory.users[USER]


async def test_a_secret_of_somebody_else_is_left_as_it_is(
    logins: OwnLogins, directory: FakeDirectory, cluster: FakeKube, kube: WatchedKube
) -> None:
    meta = {"namespace": "energy", "name": "fairlead-mlflow"}
    cluster.put({"kind": "Secret", "metadata": meta, "data": {"password": "b3RoZXI="}})

    with pytest.raises(TakenError, match="Secret fairlead-mlflow exists and is not ours"):
        await logins.admit("energy", kube)
    await logins.dismiss("energy", kube)

    assert contents(cluster) == {"password": "other"}
    assert directory.users == {}


async def test_one_waits_for_a_silent_mlflow_and_not_everyone(
    logins: OwnLogins, directory: FakeDirectory, kube: WatchedKube
) -> None:
    directory.fails = [LATER]

    told = await asyncio.gather(
        *(logins.admit("energy", kube) for _ in range(5)), return_exceptions=True
    )

    assert [str(error) for error in told] == [str(LATER)] * 5
    assert directory.asked == 1


async def test_one_with_more_than_can_be_read_keeps_nobody_else_waiting(
    logins: OwnLogins, directory: FakeDirectory, kube: WatchedKube
) -> None:
    """What a namespace registers is its own to say; the others waited for it again and again."""
    directory.crowded = {"energy"}
    with pytest.raises(TransientError):
        await logins.admit("energy", kube)

    await logins.admit("shop", kube)

    assert directory.granted == [("fairlead/shop", "shop")]


async def test_whoever_gave_up_waiting_tells_the_others(
    logins: OwnLogins, directory: FakeDirectory, kube: WatchedKube
) -> None:
    directory.hangs = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await logins.admit("energy", kube)

    with pytest.raises(TransientError, match="MLflow has not answered in time"):
        await logins.admit("shop", kube)

    assert directory.asked == 1


async def test_the_last_model_takes_user_and_secret_along(
    logins: OwnLogins, directory: FakeDirectory, cluster: FakeKube, kube: WatchedKube
) -> None:
    await logins.admit("energy", kube)

    await logins.dismiss("energy", kube)
    await logins.dismiss("energy", kube)

    assert (directory.users, contents(cluster)) == ({}, {})


async def test_the_secret_stays_until_its_user_is_gone(
    directory: FakeDirectory, cluster: FakeKube, kube: WatchedKube
) -> None:
    """By it another process, which remembers nothing, knows that there is one."""
    await OwnLogins(directory, now=Clock()).admit("energy", kube)
    directory.fails = [LATER]

    with pytest.raises(TransientError):
        await OwnLogins(directory, now=Clock()).dismiss("energy", kube)
    assert contents(cluster)
    await OwnLogins(directory, now=Clock()).dismiss("energy", kube)

    assert (directory.users, contents(cluster)) == ({}, {})


async def test_a_namespace_that_went_with_its_secret_leaves_no_user(
    logins: OwnLogins, directory: FakeDirectory, cluster: FakeKube, kube: WatchedKube
) -> None:
    await logins.admit("energy", kube)
    cluster.objects.clear()

    await logins.dismiss("energy", kube)

    assert directory.users == {}


OPERATORS = {"username": "anna", "password": "hush"}


@pytest.mark.parametrize(
    ("data", "labeled", "stays"),
    [
        pytest.param({"username": USER, "password": "x"}, True, False, id="a user of the bundled"),
        pytest.param(OPERATORS, True, False, id="a copy of the operator's own"),
        pytest.param({"username": "ben", "password": "x"}, True, True, id="written over"),
        pytest.param(OPERATORS, False, True, id="the platform's, with what the operator has"),
        pytest.param({"token": "x"}, False, True, id="the platform's"),
        pytest.param({}, True, True, id="empty"),
    ],
)
@pytest.mark.parametrize("end", [False, True], ids=["a Model is there", "the last is gone"])
async def test_what_an_earlier_setting_left_goes(
    cluster: FakeKube,
    kube: WatchedKube,
    data: dict[str, str],
    *,
    labeled: bool,
    stays: bool,
    end: bool,
) -> None:
    """It kept trainers out of an MLflow of one's own, or the operator's login in each namespace."""
    secret = build_mlflow_secret("energy", data)
    if not labeled:
        secret["metadata"]["labels"] = {}
    cluster.put(secret)
    logins = GivenLogins(Access(address="http://mlflow", **OPERATORS))

    await (logins.dismiss("energy", kube) if end else logins.admit("energy", kube))

    assert contents(cluster) == (data if stays else {})
    assert (("Secret", "energy", "fairlead-mlflow") in cluster.objects) is stays


async def test_a_given_secret_is_read_once(cluster: FakeKube, kube: WatchedKube) -> None:
    logins = GivenLogins(Access(address="http://mlflow"))
    await logins.admit("energy", kube)
    cluster.put(build_mlflow_secret("energy", {"username": USER}))

    await logins.admit("energy", kube, model="nsw-price")

    assert contents(cluster) == {"username": USER}


async def test_nobody_waits_for_a_right_to_tidy_up(
    cluster: FakeKube, kube: WatchedKube, caplog: pytest.LogCaptureFixture
) -> None:
    """A Role that came after the operator came too late: what it had left stayed for good."""
    cluster.put(build_mlflow_secret("energy", {"username": USER}))
    logins = GivenLogins(Access(address="http://mlflow"))
    for _ in range(2):
        cluster.fail_next = [ClusterRefusalError("GET fairlead-mlflow: 403")]
        await logins.admit("energy", kube)

    assert contents(cluster) == {"username": USER}
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    await logins.admit("energy", kube)

    assert contents(cluster) == {}


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        pytest.param({}, {}, id="nobody"),
        pytest.param({"token": "hush"}, {"token": "hush"}, id="a token"),
        pytest.param(
            {"username": "anna", "password": "hush"},
            {"username": "anna", "password": "hush"},
            id="name and password",
        ),
    ],
)
async def test_credentials_are_shared_as_they_are(
    cluster: FakeKube, kube: WatchedKube, access: dict[str, str], expected: dict[str, str]
) -> None:
    logins = SharedLogins(Access(address="http://mlflow", **access))

    await logins.admit("energy", kube)
    assert contents(cluster) == expected
    await logins.dismiss("energy", kube)

    assert cluster.objects == {}


def test_certificates_are_shared_too(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----")
    access = Access(address="https://mlflow", certificates=str(tmp_path / "ca.crt"))

    assert read_contents(access) == {"ca.crt": "-----BEGIN CERTIFICATE-----"}


AGE, SECOND = timedelta(days=30), "fairlead/energy/2"


class Ageing:
    """A namespace whose passwords age, an operator that begins anew at will, and a clock."""

    def __init__(self, directory: FakeDirectory) -> None:
        self.clock = Clock()
        self.cluster = FakeKube(self.clock)
        self.directory = directory
        self.begin()

    def begin(self) -> None:
        store = Store()
        store.cover("Secret", MLFLOW_SECRETS["Secret"])
        for body in self.cluster.objects.values():
            store.put(body)
        self.kube = WatchedKube(self.cluster, store)
        self.logins = OwnLogins(self.directory, age=AGE, now=self.clock)

    async def look(
        self, *, after: timedelta = timedelta(0), namespace: str = "energy", **about: str
    ) -> str | None:
        self.clock.advance(after)
        return await self.logins.admit(namespace, self.kube, **about)

    def user(self, namespace: str = "energy") -> str:
        told = contents(self.cluster, namespace)
        assert self.directory.users[told["username"]] == told["password"]
        return told["username"]


@pytest.fixture(name="ageing")
def _ageing(directory: FakeDirectory) -> Ageing:
    return Ageing(directory)


async def test_an_old_password_gives_way_to_another_user_and_ends_when_no_pod_has_it(
    ageing: Ageing,
) -> None:
    users = ageing.directory.users
    await ageing.look()
    first = users[USER]
    assert await ageing.look(after=AGE - SPREAD) is None
    assert users == {USER: first}

    told = await ageing.look(after=SPREAD)
    assert (ageing.user(), users[USER]) == (SECOND, first), "who has the old one goes on"
    assert told == f"pods sign in to MLflow as {SECOND} from now on, and {USER} ends"
    assert ageing.directory.handed_over == [(USER, SECOND)]
    assert await ageing.look(after=SPREAD / 2) is None
    assert USER in users
    await ageing.look(after=SPREAD / 2)

    assert [*users] == [SECOND]
    await ageing.look(after=AGE)
    assert ageing.user() == USER, "they take turns"
    assert users[USER] != first


async def test_a_training_that_began_before_keeps_its_user(ageing: Ageing) -> None:
    await ageing.look()
    run = {"kind": "TrainingRun", "metadata": {"namespace": "energy", "name": "r"},
           "spec": {"model": "m"}, "status": {"phase": "Searching"}}  # fmt: skip
    ageing.clock.advance(AGE)
    ageing.cluster.put(run)
    ageing.begin()
    await ageing.look()
    await ageing.look(after=2 * SPREAD)
    assert ageing.user() == SECOND
    await ageing.look(after=AGE / 2)
    assert USER in ageing.directory.users

    ageing.cluster.put(run | {"status": {"phase": "Succeeded"}})
    ageing.begin()
    await ageing.look()

    assert [*ageing.directory.users] == [SECOND]


@pytest.mark.parametrize("fails", ["before", "after"], ids=["of MLflow", "of the Secret"])
async def test_a_renewal_that_is_cut_off_leaves_what_signs_in(ageing: Ageing, fails: str) -> None:
    await ageing.look()
    ageing.clock.advance(AGE)
    await ageing.look(after=-AGE / 10)
    ageing.clock.advance(AGE / 10)
    if fails == "before":
        ageing.directory.fails = [LATER]
    else:
        ageing.cluster.refusing["Secret", "fairlead-mlflow"] = LATER
    with pytest.raises(TransientError):
        await ageing.look()
    assert ageing.user() == USER
    ageing.cluster.refusing.clear()

    ageing.begin()
    await ageing.look()
    await ageing.look(after=2 * SPREAD)

    assert ageing.user() == SECOND


async def test_a_deleted_secret_ends_both_users_at_once(ageing: Ageing) -> None:
    """Whoever deletes it wants nobody to sign in with what was in it."""
    users = ageing.directory.users
    await ageing.look()
    await ageing.look(after=AGE)
    before = dict(users)
    assert [*before] == [USER, SECOND]

    del ageing.cluster.objects["Secret", "energy", "fairlead-mlflow"]
    ageing.begin()
    await ageing.look()

    assert ageing.user() == USER
    assert users.keys() == {USER}
    assert users[USER] not in before.values()


async def test_a_deleted_secret_ends_both_users_although_mlflow_is_away_at_first(
    ageing: Ageing,
) -> None:
    await ageing.look()
    await ageing.look(after=AGE)
    before = set(ageing.directory.users.values())
    await ageing.cluster.delete("Secret", "energy", "fairlead-mlflow")
    ageing.kube._store.remove(Place("Secret", "energy", "fairlead-mlflow"))
    ageing.directory.fails = [LATER]
    with pytest.raises(TransientError):
        await ageing.look()
    ageing.logins._silence = None
    await ageing.look()

    assert before.isdisjoint(ageing.directory.users.values())
    assert [*ageing.directory.users] == [ageing.user()]


async def test_another_operators_clock_ends_nobody_early(ageing: Ageing) -> None:
    await ageing.look()
    await ageing.look(after=AGE)
    ageing.begin()
    await ageing.look(after=-timedelta(minutes=2))

    assert [*ageing.directory.users] == [USER, SECOND]


async def test_of_two_namespaces_one_is_renewed_after_the_other(ageing: Ageing) -> None:
    for namespace in ("energy", "shop"):
        await ageing.look(namespace=namespace)
    ageing.clock.advance(AGE)

    for namespace in ("energy", "shop"):
        await ageing.look(namespace=namespace)
    assert (ageing.user(), ageing.user("shop")) == (SECOND, "fairlead/shop")
    await ageing.look(after=SPREAD + timedelta(minutes=1), namespace="shop")

    assert ageing.user("shop") == "fairlead/shop/2"


async def test_nobody_is_renewed_who_is_about_to_begin_and_the_last_model_takes_both_along(
    ageing: Ageing,
) -> None:
    await ageing.look()
    await ageing.look(after=AGE, model="nsw-price")
    assert ageing.user() == USER
    await ageing.look()
    assert [*ageing.directory.users] == [USER, SECOND]

    await ageing.logins.dismiss("energy", ageing.kube)

    assert (ageing.directory.users, contents(ageing.cluster)) == ({}, {})


@pytest.mark.parametrize("change", ["none", "future"], ids=["of an earlier release", "the clock"])
async def test_since_when_nobody_knows_counts_from_now(ageing: Ageing, change: str) -> None:
    await ageing.look()
    annotations = ageing.cluster.objects["Secret", "energy", "fairlead-mlflow"]["metadata"]
    moment = (ageing.clock() + 9 * AGE).isoformat()
    annotations["annotations"] = {} if change == "none" else {"fairlead.dev/password-made": moment}
    ageing.begin()

    await ageing.look(after=2 * AGE)

    assert ageing.user() == USER
    made = ageing.cluster.objects["Secret", "energy", "fairlead-mlflow"]["metadata"]["annotations"]
    assert made == {"fairlead.dev/password-made": ageing.clock().isoformat()}
