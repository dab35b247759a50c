"""Cluster, registry and Prometheus into one frozen ``Seen``."""

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from fairlead_operator.alert_note import Note, UnreadableNoteError, read_note
from fairlead_operator.api.common import digest_field
from fairlead_operator.api.conditions import APPLIED
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.group import ANNOTATION_ALERT
from fairlead_operator.api.phases.model import Phase as ModelPhase
from fairlead_operator.api.phases.rollout import BEFORE_TRAFFIC, Phase, Reason, Trigger
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import RolloutSpec, RolloutStatus
from fairlead_operator.errors import InvalidSpecError, TransientError
from fairlead_operator.kube.hosts import find_taken, leave_out
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.parent import Parent, read_in_part, read_parent, without_wait
from fairlead_operator.ports import Kube, Ports
from fairlead_operator.report import read_failures
from fairlead_operator.requests import Action, unanswered
from fairlead_operator.rollout.candidates import Candidates, resolve
from fairlead_operator.rollout.case import Case
from fairlead_operator.rollout.cluster import Cluster, look_at_cluster
from fairlead_operator.rollout.code import find_refused_code
from fairlead_operator.rollout.decision.capacity import Capacity
from fairlead_operator.rollout.decision.freeze import find_freeze
from fairlead_operator.rollout.decision.plan import Plan, compile_plan, goes_on, standing_plan
from fairlead_operator.rollout.decision.state_machine import decide, is_taken_back
from fairlead_operator.rollout.decision.states import (
    Arm,
    Cause,
    Gateway,
    Health,
    Observed,
    is_finished,
)
from fairlead_operator.rollout.evidence.gather import (
    Evidence,
    find_unreadable,
    gather_evidence,
    keep_evidence,
)
from fairlead_operator.rollout.evidence.in_time import InTime
from fairlead_operator.rollout.evidence.turnover import settles_at
from fairlead_operator.rollout.returning import find_returning, were_in_charge
from fairlead_operator.rollout.seen import Seen
from fairlead_operator.rollout.signatures import compare_signatures
from fairlead_operator.rollout.statistics.verdict import summarize, worst
from fairlead_operator.rollout.traffic.accepted import MISSING
from fairlead_operator.rollout.traffic.http_route import find_unsupported
from fairlead_operator.text import write_list
from fairlead_operator.versions import find_known, told_by


async def observe(
    body: Mapping[str, Any], ports: Ports, *, now: datetime, allows_code: bool = False
) -> Seen:
    """Read everything once.

    Args:
        allows_code: whether the operator's values let a version bring code.

    Raises:
        InvalidSpecError: the Model is missing or cannot be read.
        TransientError: the cluster did not answer.
    """
    case = await _read_case(body, ports.kube, now=now)
    alert, unreadable_alert = _read_alert(case)
    candidates = await resolve(case, ports.registry)
    cluster = await look_at_cluster(
        case.spec.model,
        case.namespace,
        ports.kube,
        gateway=case.gateway,
        scaling=case.model.serving.autoscaling,
        now=now,
    )
    returning = await find_returning(case, candidates.references, ports)
    look = _Look(
        case=case,
        candidates=candidates,
        cluster=cluster,
        code=await find_refused_code(
            case,
            candidates.references,
            ports.registry,
            running=cluster.servers,
            returning=returning,
            by_operator=allows_code,
        ),
        evidence=keep_evidence(case),
        returned=await _has_returned(case, ports.kube),
        alert=alert,
    )
    in_time = dataclasses.replace(ports, prometheus=InTime(ports.prometheus))
    if not is_taken_back(look.to_observed()):  # a Prometheus that hangs would only delay that
        evidence = await gather_evidence(case, in_time, settled_at=look.settled_at())
        look = dataclasses.replace(look, evidence=evidence)
    return Seen(
        case=case,
        observed=await _ask_if_readable(look.to_observed(), case, look.evidence, in_time),
        candidates=look.candidates.references,
        signatures=await compare_signatures(case, look.candidates.references, ports.registry),
        returning=returning,
        servers=look.cluster.servers,
        routed=look.cluster.routed,
        pods={version: look.cluster.answering(version) for version in look.cluster.servers},
        gateway=look.cluster.gateway,
        limited=look.cluster.limited(),
        judgments=look.evidence.judgments,
        measured_at=look.evidence.measured_at,
        next_measurement=look.evidence.next_measurement,
        known_since=look.known_since,
        unstarted=look.cluster.unstarted,
        unreadable_alert=unreadable_alert,
    )


async def _ask_if_readable(
    observed: Observed, case: Case, evidence: Evidence, ports: Ports
) -> Observed:
    """Hold a candidate that nothing else holds while Prometheus cannot read what decides.

    A Prometheus that hangs delays the look, so it is not asked where that changes nothing.
    """
    if observed.phase is not Phase.PENDING or observed.stable is None:
        return observed
    if decide(observed).phase in {Phase.PENDING, Phase.ROLLED_BACK}:
        return observed
    problem = await find_unreadable(case, evidence.checks, ports.prometheus)
    return dataclasses.replace(observed, problem=problem)


async def _read_case(body: Mapping[str, Any], kube: Kube, *, now: datetime) -> Case:
    """Read the Rollout and its Model, and compile the plan in force."""
    meta = body["metadata"]
    status = _not_ahead(RolloutStatus.model_validate(without_wait(body.get("status"))), now)
    annotations = meta.get("annotations") or {}
    going_on = _can_go_back(status, annotations)
    spec, unread = _read_spec(body["spec"], in_part=going_on)
    model = await read_parent(spec.model, meta["namespace"], kube, in_part=going_on)
    policy = spec.policy or model.spec.rollout
    try:
        plan, invalid = _compile(policy, spec), _find_change(policy, spec, status)
    except InvalidSpecError as error:
        if not going_on:
            raise
        plan, invalid = None, str(error)
    if _is_pending(status) and not going_on:
        _require_others(spec, model)
    inherited = model.unread if spec.policy is None else None
    if invalid or inherited or unread:  # what it was is not known any more
        plan = None
    owner = Owner.of(model.body)
    has_turn = model.status.rollout == meta["name"]
    gateway, taken = await _find_gateway(status, model, owner, kube, has_turn=has_turn)
    return Case(
        now=now,
        namespace=meta["namespace"],
        uid=meta["uid"],
        annotations=annotations,
        spec=spec,
        status=status,
        owner=owner,
        model=model.spec,
        has_turn=has_turn,
        policy=policy,
        plan=plan or _stand(policy, spec, status),
        gateway=gateway,
        taken=taken,
        # Until it begins another may be promoted: what is in charge then is the way back.
        stable=model.status.stable if _is_pending(status) else status.stable,
        unrecorded=_find_unrecorded(model),
        known=told_by(model.status),
        alone=model.status.phase != ModelPhase.ROLLING_OUT,
        invalid=invalid or unread or model.unread,
        has_servers=model.unread is None,
    )


def _require_others(spec: RolloutSpec, model: Parent) -> None:
    """Require that what is in charge is not one of several candidates: it is compared anyway.

    Raises:
        InvalidSpecError: it is.
    """
    stable = model.status.stable
    if spec.alternatives and stable is not None and stable.version in spec.versions:
        raise InvalidSpecError(
            f"spec.alternatives: {stable.version} is in charge, and the others are compared with "
            "it by that; leave it out"
        )


def _read_spec(body: Mapping[str, Any], *, in_part: bool) -> tuple[RolloutSpec, str | None]:
    """Read the Rollout's own spec, and say what of it was left out.

    Raises:
        InvalidSpecError: it cannot be read, and nothing may be left out.
    """
    try:
        return RolloutSpec.model_validate(body), None
    except ValidationError as error:
        if not in_part:
            raise InvalidSpecError(str(error)) from error
        least = {name: body[name] for name in ("model", "version")}
        return read_in_part(RolloutSpec, body, least=least), str(error)


def _can_go_back(status: RolloutStatus, annotations: Mapping[str, str]) -> bool:
    """Tell whether what cannot be read of the spec is left out: it could not go back else.

    Before there is any traffic, that is only where someone asks for it.
    """
    phase = Phase(status.phase or Phase.PENDING)
    if phase is not Phase.PENDING:
        return not is_finished(phase)
    back = {Action.ABORT, Action.SUPERSEDE}
    return any(asked.action in back for asked in unanswered(annotations, status.requests))


def _find_change(policy: RolloutPolicy, spec: RolloutSpec, status: RolloutStatus) -> str | None:
    """Say that the Model's strategy is another than that a rollout in traffic began with."""
    if spec.policy is not None or not _is_in_traffic(status) or goes_on(policy, status.strategy):
        return None
    return (
        f"this rollout has no policy of its own and began under strategy {status.strategy}, and "
        f"the Model now says {policy.strategy}"
    )


def _stand(policy: RolloutPolicy, spec: RolloutSpec, status: RolloutStatus) -> Plan:
    """Build a plan in which everything stays as status says that it was given."""
    in_step = status.phase == Phase.PROGRESSING or (
        status.phase == Phase.PAUSED and (status.weight or 0) < 100
    )
    return standing_plan(
        policy,
        strategy=status.strategy,
        steps=status.step + in_step,
        candidates=len(spec.versions),
        mirror=status.mirror or 0,
        preview=status.preview is not None,
        sticky=status.sticky,
    )


def _find_unrecorded(model: Parent) -> str | None:
    """Return why servers keep no predictions though they should: what the Model says of that."""
    if not model.spec.serving.prediction_log.enabled:
        return None
    failures = read_failures(model.body.get("status") or {})
    return next((failure.message for failure in failures if failure.login), None)


async def _has_returned(case: Case, kube: Kube) -> bool:
    """Tell whether a person went back to the candidate: by a rollback, or by a pin in the end.

    A pin may go on to any version; once it has brought all traffic to one that was in charge
    before, that is where it went.
    """
    if case.spec.trigger == Trigger.ROLLBACK:
        return True
    going = case.phase in {Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING}
    if not going or case.status.weight != 100:
        return False
    siblings = await kube.children("Rollout", case.namespace, case.spec.model)
    version = case.status.winner or case.spec.version
    return any(
        version == reference.version
        for rollout in siblings
        for reference in were_in_charge(rollout)
    )


def _compile(policy: RolloutPolicy, spec: RolloutSpec) -> Plan:
    """Compile the plan in force.

    Raises:
        InvalidSpecError: it has no use for the Rollout's alternatives.
    """
    plan = compile_plan(policy, candidates=len(spec.versions))
    if spec.alternatives and not plan.takes_alternatives:
        raise InvalidSpecError(
            f"spec.alternatives: have no effect under strategy {policy.strategy} of the Model; "
            "give this Rollout a policy of its own with abTest or bandit"
        )
    return plan


def _not_ahead(status: RolloutStatus, now: datetime) -> RolloutStatus:
    """Let no moment be in the future: a clock that was set back must not make a hold longer."""
    names = ("since", "step_since", "doubt_since", "unconfirmed_since", "measured_at")
    moments = {name: getattr(status, name) for name in names}
    return status.model_copy(
        update={name: min(moment, now) for name, moment in moments.items() if moment is not None}
    )


async def _find_gateway(
    status: RolloutStatus, model: Parent, owner: Owner, kube: Kube, *, has_turn: bool
) -> tuple[GatewaySpec, str | None]:
    """Return what carries the traffic: in flight what it began with, else what the Model says.

    With it comes what another Model has of the host names that it or the Model asks for.
    """
    asked = model.spec.serving.gateway
    waited = _is_pending(status) and (not has_turn or status.reason == Reason.WAITING_FOR_TURN)
    wished = asked if waited else _go_on(status, asked)
    try:
        taken = await find_taken(owner, wished, kube)
        gateway = await leave_out(taken, owner, wished, kube) if taken else wished
        if wished != asked:
            taken |= await find_taken(owner, asked, kube)
    except TransientError:
        if status.gateway is None or not _is_in_traffic(status):
            raise
        return status.gateway, None  # it must hold up no way back
    return gateway, write_list(taken.values()) or None


def _go_on(status: RolloutStatus, asked: GatewaySpec) -> GatewaySpec:
    """Return the gateway that a rollout in flight asks for: the one that it began with.

    Of that one it takes the host names as the Model has them until it has traffic.  From then on
    names that the Model gains join those it has, as one does that another Model has given up.
    """
    begun = status.gateway
    if begun is None or status.phase is None or is_finished(Phase(status.phase)):
        return asked
    if (begun.kind, begun.parent_refs) != (asked.kind, asked.parent_refs):
        return begun
    return begun.join(asked) if _is_in_traffic(status) else asked


def _is_in_traffic(status: RolloutStatus) -> bool:
    """Tell whether it has begun, and has not ended."""
    return not _is_pending(status) and not is_finished(Phase(status.phase or Phase.PENDING))


def _is_pending(status: RolloutStatus) -> bool:
    """Tell whether it has not begun."""
    return status.phase in {None, Phase.PENDING}


def _read_alert(case: Case) -> tuple[Note | None, str | None]:
    """Return what Alertmanager said, or else why the annotation says nothing."""
    text = case.annotations.get(ANNOTATION_ALERT)
    if text is None:
        return None, None
    try:
        return read_note(text, case.spec.versions), None
    except UnreadableNoteError as error:
        return None, str(error)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Everything that was read, and what it means in the words of the state machine."""

    case: Case
    candidates: Candidates
    cluster: Cluster
    code: str | None
    evidence: Evidence
    alert: Note | None
    returned: bool

    @property
    def known_since(self) -> datetime | None:
        """Return when an alert or the fast guard spoke first."""
        trips = [self._trip(version) for version in self.case.spec.versions]
        moments = [trip[1] for trip in trips if trip]
        return min([*moments, *([self.alert.received] if self.alert else [])], default=None)

    def settled_at(self) -> dict[str, datetime]:
        """Return from when on the answers of a candidate count, where pods of it were replaced."""
        case = self.case
        since, scaling = case.status.step_since, case.model.serving.autoscaling
        if since is None:
            return {}
        least = scaling.min_replicas if scaling else self._wished
        moments = {
            arm.version: settles_at(
                self.cluster.pods.get(arm.version, ()),
                since=since,
                had=least if arm.pods is None else arm.pods,
                least=least,
                now=case.now,
            )
            for arm in case.status.arms
            if arm.version in case.in_play
        }
        return {version: moment for version, moment in moments.items() if moment is not None}

    def to_observed(self) -> Observed:
        """Put together what the decision may depend on."""
        case, status, policy = self.case, self.case.status, self.case.policy
        scaling = case.model.serving.autoscaling
        capacity = self.cluster.capacity(scaling, status, stable=case.stable_version)
        freeze = None if case.spec.goes_back else find_freeze(case.model.freeze_windows, case.now)
        has_way_back = bool(case.stable_version) and case.stable_version not in case.spec.versions
        return Observed(
            now=case.now,
            phase=case.phase,
            step=status.step,
            since=status.since or case.now,
            doubt_since=status.doubt_since,
            reason=Reason(status.reason or Reason.WAITING_FOR_TURN),
            message=status.message or "",
            has_turn=case.has_turn,
            alone=case.alone,
            suspended=case.model.suspend,
            frozen=freeze.message if freeze else None,
            frozen_until=freeze.until if freeze else None,
            stable=(
                self.cluster.stable(
                    case.stable_version,
                    needed=capacity.full if capacity else None,
                    wished=self._wished,
                )
                if has_way_back
                else None
            ),
            resolution=self.candidates.resolution,
            resolution_message=self.candidates.message,
            refused_code=self.code,
            problem=self.evidence.problem,
            invalid=case.invalid,
            arms=tuple(self._arms(self._needed(capacity))),
            winner=status.winner,
            trial=self.evidence.trial,
            leader=status.trial.leader if status.trial else None,
            gateway=self._gateway(),
            requests=unanswered(case.annotations, status.requests),
            plan=case.plan,
            guard=policy.guard.duration,
            patience=policy.patience,
            start_deadline=policy.start_deadline,
            approval_deadline=policy.approval_deadline,
            capacity=capacity,
            finished_at=status.finished_at,
            measured=self._measured,
            returned=self.returned,
            goes_back=case.spec.goes_back,
        )

    @property
    def _measured(self) -> bool:
        """Tell whether any request of a candidate was measured, now or before."""
        status = self.case.status
        counted = any(
            judgment.value is not None if judgment.samples is None else judgment.samples > 0
            for _, judgment in self.evidence.judgments
        )
        tried = any(arm.samples for arm in status.arms)
        # A step is passed on what was measured; 0.1.0 did not write that it was.
        return status.measured or counted or tried or status.step > 0

    def _gateway(self) -> Gateway:
        routed = self.cluster.routed
        if routed is None:
            return Gateway(message="" if self._refusal is None else f"not written: {self._refusal}")
        case = self.case
        named = case.gateway.join(case.model.serving.gateway)  # those that are another's too
        return Gateway(
            missing=routed.message if routed is MISSING else None,
            taken=case.nameless,
            unsupported=find_unsupported(case.policy, case.plan, named),
            message=routed.message,
        )

    def _arms(self, needed: int | None) -> Iterator[Arm]:
        """Describe the candidates as the cluster and our last decision have them."""
        last = {entry.version: entry for entry in self.case.status.arms}
        for version in self.case.spec.versions:
            arm = self._judged(self.cluster.arm(version, needed=needed, wished=self._wished))
            if not self.candidates.references:
                message = "not found in MLflow yet"
                arm = dataclasses.replace(arm, health=Health.UNKNOWN, message=message)
            elif arm.version not in self.cluster.servers and self._refusal is not None:
                arm = dataclasses.replace(arm, message=self._refusal)
            entry = last.get(version)
            if entry is None:
                yield dataclasses.replace(arm, asked=self.case.status.weight or 0)
                continue
            dropped = None
            if entry.reason is not None:
                dropped = Cause(reason=Reason(entry.reason), message=entry.message or "")
            yield dataclasses.replace(
                arm, asked=entry.weight, prepared=entry.prepared, dropped=dropped
            )

    @property
    def _refusal(self) -> str | None:
        """Return what the last look could not write: a server that there is not, for example."""
        for condition in self.case.status.conditions:
            if condition.type == APPLIED and condition.status == "False":
                return condition.message
        return None

    def _needed(self, capacity: Capacity | None) -> int | None:
        """Return the pods with which a candidate counts as ready; None: all it is asked to have.

        An autoscaler asks for more at any moment, which is no doubt of the version.  What a weight
        needs is looked at when it is to be given (``pods_first``); only after a downtime it is now.
        """
        if capacity is None:
            return None
        has_none = self.case.phase in BEFORE_TRAFFIC
        alone = not self.case.plan.compares
        return capacity.full if alone and has_none else capacity.bounds.least

    @property
    def _wished(self) -> int:
        """Return the pods the spec asks for: in the same write it may ask for more traffic."""
        serving = self.case.model.serving
        return 0 if serving.autoscaling else serving.replicas or 1

    def _judged(self, arm: Arm) -> Arm:
        """Add all that speaks for and against a candidate."""
        judgments = self.evidence.analyses[arm.version].judgments
        alert, trip = self.alert, self._trip(arm.version)
        return dataclasses.replace(
            arm,
            verdict=worst(judgments),
            verdict_message=summarize(judgments),
            alert=alert.message if alert and alert.version == arm.version else None,
            tripped=trip[0] if trip else None,
            repinned=self._repinned(arm.version),
        )

    def _repinned(self, version: str) -> str | None:
        """Say that the spec pins another artifact of the version than this rollout began with."""
        case = self.case
        pinned = case.model.digest_of(version)
        begun = find_known(version, self.candidates.references)
        if case.spec.trigger is not Trigger.PINNED:
            return None
        if not pinned or begun is None or begun.digest == pinned:
            return None
        field = digest_field(version, case.model.alternatives)
        return (
            f"this rollout is of {version} with digest {begun.digest}, and spec.{field} asks for "
            f"{pinned} by now"
        )

    def _trip(self, version: str) -> tuple[str, datetime] | None:
        """Return what the fast guard said of a version, and when."""
        return self.cluster.trip(version, guard=self.case.uid)
