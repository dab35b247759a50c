"""The order in which Envoy is told, played against a model of Envoy."""

import dataclasses
from collections.abc import Collection

import pytest
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.route import Route, Version
from fairlead_serving.gateway.xds.delta import Push, Rejection, Request, Session
from fairlead_serving.gateway.xds.snapshot import Snapshot
from fairlead_serving.gateway.xds.target import (
    ASSIGNMENT,
    CLUSTER,
    ROUTES,
    SCOPES,
    TYPES,
    Target,
    build_target,
)

WORDS = {CLUSTER: "clusters", ASSIGNMENT: "endpoints", SCOPES: "hosts", ROUTES: "routes"}


def a_route(*versions: str, model: str = "m", hosts: tuple[str, ...] = ("m",)) -> Route:
    """Nearly all traffic to the first version, one percent to each other."""
    return Route(
        namespace="n",
        model=model,
        revision="-".join(versions),
        hosts=hosts,
        timeout_seconds=1,
        versions=tuple(
            Version(version=version, weight=1 if number else 101 - len(versions), service=version)
            for number, version in enumerate(versions)
        ),
    )


def joined(*routes: Route, pod: str = "10.0.0.1") -> Target:
    """A target of several Models."""
    names = {version.version for route in routes for version in route.versions}
    endpoints = {name: (Endpoint(address=pod, port=1),) for name in names}
    return build_target(Snapshot(routes=routes, endpoints=endpoints))


def target(*versions: str, pod: str = "10.0.0.1") -> Target:
    """One Model, or none."""
    return joined(*[a_route(*versions)] if versions else [], pod=pod)


class Envoy:
    """As much of Envoy as the protocol needs; fails where a request would."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.held: dict[str, dict[str, str]] = {url: {} for url in TYPES}
        self.asked: dict[str, set[str]] = {ASSIGNMENT: set(), ROUTES: set()}
        self.leads: dict[str, str] = {}  # from hosts to the routes of a Model
        self.needs: dict[str, set[str]] = {}  # clusters, by the routes that name them
        self.log: list[str] = []

    def connect(self) -> None:
        for url in TYPES:
            names = tuple(sorted(self.asked.get(url, ())))
            if names or url not in self.asked:
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
        for name in push.removed:
            del held[name]
        for name, packed in push.packed.items():
            if push.type_url == SCOPES:
                scope = ScopedRouteConfiguration.FromString(packed.body)
                self.leads[name] = scope.route_configuration_name
            if push.type_url == ROUTES:
                prefix = name.replace("/", "|") + "|"
                clusters = push.target.packed[CLUSTER]
                self.needs[name] = {each for each in clusters if each.startswith(prefix)}
        if push.type_url == SCOPES:
            self.leads = {host: to for host, to in self.leads.items() if host in held}
            self._forget(ROUTES, self.needs.keys() - self.leads.values())
            self.needs = {name: self.needs[name] for name in self.held[ROUTES]}
        if push.type_url == CLUSTER:
            self._forget(ASSIGNMENT, set(push.removed))
        warm = self.held[CLUSTER].keys() & self.held[ASSIGNMENT].keys()
        for name, clusters in self.needs.items():
            assert clusters <= warm, f"the routes of {name} name a cluster that is not warm"

    def _forget(self, url: str, names: Collection[str]) -> None:
        for name in names:
            self.held[url].pop(name, None)

    def acknowledge(self, push: Push, error: str | None = None) -> Rejection | None:
        rejection = self.session.receive(
            Request(type_url=push.type_url, nonce=push.nonce, error=error)
        )
        if error is None and push.type_url == CLUSTER:
            self._ask(ASSIGNMENT, set(self.held[CLUSTER]))
        if error is None and push.type_url == SCOPES:
            self._ask(ROUTES, set(self.leads.values()))
        return rejection

    def _ask(self, url: str, names: set[str]) -> None:
        added, gone = names - self.asked[url], self.asked[url] - names
        self.asked[url] = names
        if added or gone:
            self.session.receive(
                Request(
                    type_url=url,
                    subscribe=tuple(sorted(added)),
                    unsubscribe=tuple(sorted(gone)),
                )
            )

    @staticmethod
    def _describe(push: Push) -> str:
        names = [name.removeprefix("n|m|").removeprefix("n/") for name in sorted(push.packed)]
        gone = [f"-{name.removeprefix('n|m|')}" for name in push.removed]
        return " ".join([WORDS[push.type_url], *names, *gone])


@pytest.fixture
def envoy() -> Envoy:
    envoy = Envoy(Session())
    envoy.connect()
    return envoy


def test_first_contact_goes_from_clusters_over_endpoints_and_hosts_to_routes(envoy: Envoy) -> None:
    goal = target("2", "1")

    envoy.run(goal)

    assert envoy.log == ["clusters 1 2", "endpoints 1 2", "hosts m", "routes m"]
    assert envoy.session.is_settled(goal)


def test_without_models_envoy_still_gets_the_answers_it_waits_for(envoy: Envoy) -> None:
    envoy.run(target())

    assert envoy.log == ["clusters", "hosts"]
    assert envoy.session.is_settled(target())


def test_a_version_is_added_before_and_removed_after_the_routes(envoy: Envoy) -> None:
    envoy.run(target("1"))
    envoy.log.clear()

    envoy.run(target("2"))

    assert envoy.log == ["clusters 2", "endpoints 2", "routes m", "clusters -1"]


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


def test_clusters_stay_while_routes_that_are_no_longer_wanted_are_on_their_way(
    envoy: Envoy,
) -> None:
    """A version that came and went at once: its routes came to no cluster, and requests failed."""
    before, between = target("1"), target("1", "2")
    envoy.run(before)
    while (push := envoy.session.next_push(between)) is not None and push.type_url != ROUTES:
        envoy.take(push)
        envoy.acknowledge(push)
    assert push is not None

    early = envoy.session.next_push(before), envoy.session.is_settled(before)
    envoy.take(push)
    envoy.acknowledge(push)
    envoy.run(before)

    assert early == (None, False)
    assert envoy.log[-2:] == ["routes m", "clusters -2"]
    assert envoy.session.is_settled(before)


def test_after_a_reconnect_only_the_difference_is_sent(envoy: Envoy) -> None:
    envoy.run(target("1"))
    envoy.session = Session()
    envoy.log.clear()
    envoy.connect()

    envoy.run(target("1"))
    assert envoy.log == ["clusters", "hosts"]  # the empty first answers
    assert envoy.session.is_settled(target("1"))

    envoy.log.clear()
    envoy.run(target("2"))
    assert envoy.log == ["clusters 2", "endpoints 2", "routes m", "clusters -1"]


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


def test_after_a_refusal_the_last_good_is_sent_again(envoy: Envoy) -> None:
    """Of the Models of one push Envoy may have taken some."""
    test_a_refused_push_is_told_and_not_repeated(envoy)
    envoy.log.clear()

    envoy.run(target("1"))

    assert envoy.log == ["routes m", "clusters -2"]
    assert envoy.session.is_settled(target("1"))


def test_what_was_refused_is_tried_again_with_another_target(envoy: Envoy) -> None:
    test_a_refused_push_is_told_and_not_repeated(envoy)

    envoy.run(target("1", "2"))

    assert envoy.session.is_settled(target("1", "2"))


def test_a_change_of_one_model_sends_nothing_of_the_others(envoy: Envoy) -> None:
    other = a_route("3", model="o", hosts=("o",))
    envoy.run(joined(a_route("1", "2"), other))
    envoy.log.clear()

    envoy.run(joined(a_route("2", "1"), other))

    assert envoy.log == ["routes m"]


def test_much_is_sent_in_parts_but_for_the_hosts(envoy: Envoy) -> None:
    """An Envoy that starts is ready with what the first hosts lead to, so these must be all."""
    goal = joined(
        *[a_route("1", model=f"m{number}", hosts=(f"m{number}",)) for number in range(250)]
    )

    envoy.run(goal)

    sizes = [(line.split()[0], len(line.split()) - 1) for line in envoy.log]
    assert [size for word, size in sizes if word == "routes"] == [100, 100, 50]
    assert [size for word, size in sizes if word == "hosts"] == [250]
    assert envoy.session.is_settled(goal)


def test_a_host_moves_once_the_routes_it_will_lead_to_are_there(envoy: Envoy) -> None:
    envoy.run(joined(a_route("1", hosts=("m", "shared"))))
    envoy.log.clear()
    goal = joined(a_route("1"), a_route("3", model="a", hosts=("a", "shared")))

    envoy.run(goal)

    assert envoy.log == ["clusters n|a|3", "endpoints n|a|3", "hosts a", "routes a", "hosts shared"]
    assert envoy.session.is_settled(goal)


def test_a_model_that_has_taken_its_only_host_from_another_gets_its_routes(envoy: Envoy) -> None:
    envoy.run(target("1"))
    envoy.log.clear()
    goal = joined(a_route("3", model="a"))

    envoy.run(goal)

    assert envoy.log == [
        *("clusters n|a|3", "endpoints n|a|3", "hosts m", "routes a", "clusters -1"),
    ]
    assert envoy.session.is_settled(goal)


def test_a_removed_model_is_not_settled_before_its_hosts_lead_nowhere(envoy: Envoy) -> None:
    other = a_route("3", model="o", hosts=("o",))
    envoy.run(joined(a_route("1"), other))
    envoy.log.clear()
    push = envoy.session.next_push(joined(other))
    assert push is not None

    assert not envoy.session.is_settled(joined(other))
    envoy.take(push)
    envoy.acknowledge(push)
    assert envoy.session.is_settled(joined(other))
    envoy.run(joined(other))
    assert envoy.log == ["hosts -m", "clusters -1"]


def test_a_changed_cluster_gets_its_endpoints_again(envoy: Envoy) -> None:
    envoy.run(target("1"))
    envoy.held[CLUSTER]["n|m|1"] = "of an older agent"
    envoy.session = Session()
    envoy.log.clear()
    envoy.connect()

    envoy.run(target("1"))

    assert envoy.log == ["clusters 1", "endpoints 1", "hosts"]


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


_versions = st.lists(st.sampled_from("123"), unique=True, max_size=3)
_goal = st.builds(
    lambda versions, others, hosts, pod: joined(
        *[a_route(*versions, hosts=("m", *hosts))] * bool(versions),
        *[a_route(*others, model="o", hosts=tuple({"o", "s"} - hosts))] * bool(others),
        pod=pod,
    ),
    _versions,
    _versions,
    st.sets(st.sampled_from("os")),
    st.sampled_from(["a", "b"]),
).filter(lambda goal: all(route.hosts for route in goal.snapshot.routes))


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
