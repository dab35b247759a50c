"""The order in which Envoy is told, played against a model of Envoy."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.gateway.delta import Push, Rejection, Request, Session
from fairlead_serving.gateway.endpoints import Endpoint
from fairlead_serving.gateway.routes import Route, Version
from fairlead_serving.gateway.snapshot import Snapshot
from fairlead_serving.gateway.target import ASSIGNMENT, CLUSTER, ROUTES, Target, build_target

NAMES = {CLUSTER: "clusters", ASSIGNMENT: "endpoints", ROUTES: "routes"}


def target(*versions: str, pod: str = "10.0.0.1") -> Target:
    """All traffic to the first version; the others are warm."""
    if not versions:
        return build_target(Snapshot())
    route = Route(
        namespace="n",
        model="m",
        revision="-".join(versions),
        hosts=("m",),
        timeout_seconds=1,
        versions=tuple(
            Version(version=version, weight=0 if number else 100, service=version)
            for number, version in enumerate(versions)
        ),
    )
    endpoints = {version: (Endpoint(address=pod, port=1),) for version in versions}
    return build_target(Snapshot(routes=(route,), endpoints=endpoints))


def routed(goal: Target) -> set[str]:
    """Clusters the routes of a target name."""
    return set(goal.packed[CLUSTER])


class Envoy:
    """As much of Envoy as the protocol needs; fails where a request would."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.held: dict[str, dict[str, str]] = {CLUSTER: {}, ASSIGNMENT: {}, ROUTES: {}}
        self.subscribed: set[str] = set()
        self.needed: set[str] = set()  # clusters that the routes name
        self.log: list[str] = []

    def connect(self) -> None:
        for url, names in (
            (CLUSTER, ()),
            (ASSIGNMENT, tuple(sorted(self.subscribed))),
            (ROUTES, ("models",)),
        ):
            if url == ASSIGNMENT and not names:
                continue
            self.session.receive(
                Request(type_url=url, subscribe=names, initial_versions=dict(self.held[url]))
            )

    def run(self, goal: Target) -> None:
        """Take every push and acknowledge it at once."""
        while (push := self.session.next_push(goal)) is not None:
            self.take(push)
            self.acknowledge(push)

    def take(self, push: Push) -> None:
        self.log.append(self._describe(push))
        held = self.held[push.type_url]
        held.update({name: packed.version for name, packed in push.packed.items()})
        if push.type_url == ROUTES:
            self.needed = routed(push.target)
        for name in push.removed:
            del held[name]
            self.held[ASSIGNMENT].pop(name, None)
        warm = self.held[CLUSTER].keys() & self.held[ASSIGNMENT].keys()
        assert self.needed <= warm, "a route names a cluster that is not warm"

    def acknowledge(self, push: Push, error: str | None = None) -> Rejection | None:
        rejection = self.session.receive(
            Request(type_url=push.type_url, nonce=push.nonce, error=error)
        )
        if push.type_url == CLUSTER and error is None:
            self._subscribe(push)
        return rejection

    def _subscribe(self, push: Push) -> None:
        added = set(push.packed) - self.subscribed
        gone = set(push.removed) & self.subscribed
        self.subscribed = (self.subscribed | added) - gone
        if added or gone:
            self.session.receive(
                Request(
                    type_url=ASSIGNMENT,
                    subscribe=tuple(sorted(added)),
                    unsubscribe=tuple(sorted(gone)),
                )
            )

    @staticmethod
    def _describe(push: Push) -> str:
        words = [NAMES[push.type_url], *sorted(name[4:] for name in push.packed if name[0] == "n")]
        return " ".join([*words, *(f"-{name[4:]}" for name in push.removed)])


@pytest.fixture
def envoy() -> Envoy:
    envoy = Envoy(Session())
    envoy.connect()
    return envoy


def test_first_contact_goes_from_clusters_over_endpoints_to_routes(envoy: Envoy) -> None:
    goal = target("2", "1")

    envoy.run(goal)

    assert envoy.log == ["clusters 1 2", "endpoints 1 2", "routes"]
    assert envoy.session.is_settled(goal)


def test_without_models_envoy_still_gets_an_answer_of_each_kind(envoy: Envoy) -> None:
    envoy.run(target())

    assert envoy.log == ["clusters", "routes"]


def test_a_version_is_added_before_and_removed_after_the_routes(envoy: Envoy) -> None:
    envoy.run(target("1"))
    envoy.log.clear()

    envoy.run(target("2"))

    assert envoy.log == ["clusters 2", "endpoints 2", "routes", "clusters -1"]


def test_endpoints_change_alone(envoy: Envoy) -> None:
    envoy.run(target("1"))
    envoy.log.clear()

    envoy.run(target("1", pod="10.0.0.2"))

    assert envoy.log == ["endpoints 1"]


def test_routes_wait_for_the_acknowledgement_of_endpoints(envoy: Envoy) -> None:
    goal = target("1")
    clusters = envoy.session.next_push(goal)
    assert clusters is not None
    assert envoy.session.next_push(goal) is None  # nothing before the acknowledgement
    envoy.take(clusters)
    envoy.acknowledge(clusters)
    endpoints = envoy.session.next_push(goal)
    assert endpoints is not None

    assert endpoints.type_url == ASSIGNMENT
    assert envoy.session.next_push(goal) is None
    assert not envoy.session.is_settled(goal)


def test_clusters_are_removed_only_after_the_routes_are_acknowledged(envoy: Envoy) -> None:
    envoy.run(target("1", "2"))
    goal = target("1")
    routes = envoy.session.next_push(goal)
    assert routes is not None

    assert routes.type_url == ROUTES
    assert envoy.session.next_push(goal) is None
    envoy.take(routes)
    envoy.acknowledge(routes)
    removal = envoy.session.next_push(goal)
    assert removal is not None
    assert (removal.type_url, removal.removed) == (CLUSTER, ("n|m|2",))


def test_after_a_reconnect_only_the_difference_is_sent(envoy: Envoy) -> None:
    envoy.run(target("1"))
    envoy.session = Session()
    envoy.log.clear()
    envoy.connect()

    envoy.run(target("1"))
    assert envoy.log == ["clusters"]  # the empty first answer
    assert envoy.session.is_settled(target("1"))

    envoy.run(target("2"))
    assert envoy.log == ["clusters", "clusters 2", "endpoints 2", "routes", "clusters -1"]


def test_a_refused_push_is_told_and_not_repeated(envoy: Envoy) -> None:
    envoy.run(target("1"))
    bad = target("1", "2")
    while (push := envoy.session.next_push(bad)) is not None and push.type_url != ROUTES:
        envoy.take(push)
        envoy.acknowledge(push)
    assert push is not None

    rejection = envoy.acknowledge(push, error="no")

    assert rejection == Rejection(push=push, message="no")
    assert envoy.session.next_push(bad) is None
    assert not envoy.session.is_settled(bad)


def test_after_a_refusal_the_last_good_needs_no_routes(envoy: Envoy) -> None:
    test_a_refused_push_is_told_and_not_repeated(envoy)
    envoy.log.clear()

    envoy.run(target("1"))

    assert envoy.log == ["clusters -2"]
    assert envoy.session.is_settled(target("1"))


def test_a_changed_cluster_gets_its_endpoints_again(envoy: Envoy) -> None:
    envoy.run(target("1"))
    envoy.held[CLUSTER]["n|m|1"] = "of an older agent"
    envoy.session = Session()
    envoy.log.clear()
    envoy.connect()

    envoy.run(target("1"))

    assert envoy.log == ["clusters 1", "endpoints 1"]


def test_a_name_asked_for_anew_is_sent_anew(envoy: Envoy) -> None:
    goal = target("1")
    envoy.run(goal)
    envoy.log.clear()

    envoy.session.receive(Request(type_url=ASSIGNMENT, subscribe=("n|m|1",)))
    envoy.run(goal)

    assert envoy.log == ["endpoints 1"]


def test_what_nobody_serves_is_ignored(envoy: Envoy) -> None:
    assert envoy.session.receive(Request(type_url="listeners")) is None


def test_an_old_answer_is_ignored(envoy: Envoy) -> None:
    push = envoy.session.next_push(target("1"))
    assert push is not None
    stale = dataclasses.replace(push, nonce="0")

    envoy.acknowledge(stale, error="late")

    assert envoy.session.next_push(target("1")) is None


_goal = st.tuples(
    st.lists(st.sampled_from("123"), unique=True, max_size=3), st.sampled_from(["a", "b"])
).map(lambda drawn: target(*drawn[0], pod=drawn[1]))


@given(goals=st.lists(st.tuples(_goal, st.integers(0, 4), st.booleans()), max_size=8), last=_goal)
def test_no_order_of_changes_leaves_a_route_without_a_warm_cluster(
    goals: list[tuple[Target, int, bool]], last: Target
) -> None:
    """Targets change while pushes are under way, and streams break; `Envoy.take` checks each."""
    envoy = Envoy(Session())
    envoy.connect()
    for goal, pushes, breaks in goals:
        for _ in range(pushes):
            if (push := envoy.session.next_push(goal)) is not None:
                envoy.take(push)
                envoy.acknowledge(push)
        if breaks:
            envoy.session = Session()
            envoy.connect()

    envoy.run(last)

    assert envoy.session.is_settled(last)
    assert set(envoy.held[CLUSTER]) == set(last.packed[CLUSTER])
