"""What speaks for and against the candidates: the checks of each, and the trial between them."""

import asyncio
import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from fairlead_operator.api.checks import DEFAULT_WINDOW, Check
from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.api.promql import find_in_checks, find_queries
from fairlead_operator.api.rollout import CheckStatus
from fairlead_operator.api.template import AnalysisTemplateSpec
from fairlead_operator.ports import Kube, Ports, Prometheus
from fairlead_operator.prometheus.counting import GATEWAY, SERVERS
from fairlead_operator.prometheus.mistakes import find_mistakes
from fairlead_operator.rollout.case import Case
from fairlead_operator.rollout.decision.states import is_finished
from fairlead_operator.rollout.evidence.analysis import Analysis, Look, analyze
from fairlead_operator.rollout.evidence.checks import ChecksError, resolve_checks
from fairlead_operator.rollout.evidence.judgment import from_status
from fairlead_operator.rollout.evidence.queries import fill as fill_query
from fairlead_operator.rollout.evidence.scene import Pairing, Scene
from fairlead_operator.rollout.evidence.trial import LastCount, TrialLook, run_trial
from fairlead_operator.rollout.statistics.ab_test import Trial
from fairlead_operator.rollout.statistics.verdict import Judgment
from fairlead_operator.text import shorten

_TEMPLATE: Final = "AnalysisTemplate"
_MEASURED: Final = frozenset({Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING})
_ALL: Final = 100  # percent
_REFERENCE: Final = timedelta(minutes=1)  # least of the stable version's last minutes at 100 %
_BEFORE_DOWNTIME: Final = timedelta(minutes=15)  # the same, where nobody answered in the last ones
_SILENT: Final = (
    "Prometheus does not answer whether it can read the queries; it is asked again; if it stays "
    "so, look whether it runs"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it, as it stands now."""

    checks: tuple[Check, ...]  # of every step; none while they are not known
    problem: str | None  # why the checks are not known
    analyses: Mapping[str, Analysis]  # of every candidate; of one not in play without judgments
    trial: Trial | None  # what it says; None where there is none, or it is not due

    @property
    def judgments(self) -> tuple[tuple[str, Judgment], ...]:
        """Return each with the version that was measured."""
        return tuple(
            (version, judgment)
            for version, analysis in self.analyses.items()
            for judgment in analysis.judgments
        )

    @property
    def measured_at(self) -> datetime | None:
        moments = (analysis.measured_at for analysis in self.analyses.values())
        return max((moment for moment in moments if moment), default=None)

    @property
    def next_measurement(self) -> timedelta:
        return min(analysis.next_measurement for analysis in self.analyses.values())


def keep_evidence(case: Case) -> Evidence:
    """Return what the last look was told, and ask nobody."""
    measured = case.in_play if case.status.phase in _MEASURED else ()
    analyses = {
        version: Analysis(
            judgments=tuple(from_status(check) for check in _last(case, version))
            if version in measured
            else (),
            measured_at=case.status.measured_at if version in measured else None,
            next_measurement=case.policy.analysis.interval,
        )
        for version in case.spec.versions
    }
    return Evidence(checks=(), problem=None, analyses=analyses, trial=None)


async def gather_evidence(
    case: Case, ports: Ports, *, settled_at: Mapping[str, datetime] = MappingProxyType({})
) -> Evidence:
    """Ask what is due, and keep what is not.

    Args:
        settled_at: from when on the answers of a version count, where pods of it were replaced.

    Raises:
        TransientError: the cluster did not answer.
    """
    checks: tuple[Check, ...] = ()
    problem = None
    try:
        checks = await _resolve(case, ports.kube)
    except ChecksError as error:
        problem = shorten(str(error), 1000)
    # At once, so that neither takes the time that Prometheus has for both.
    analyses, trial = await asyncio.gather(
        _analyze(case, checks, problem, ports, settled_at),
        _try_out(case, ports, settled_at),
    )
    return Evidence(checks=checks, problem=problem, analyses=analyses, trial=trial)


async def _resolve(case: Case, kube: Kube) -> tuple[Check, ...]:
    """Return the checks of every step; of a finished rollout none.

    Raises:
        ChecksError: they are not known, or cannot be asked.
    """
    if is_finished(case.phase):
        return ()
    reference = case.policy.analysis.template_ref
    template = None
    if reference is not None:
        template = await _read_template(case.namespace, reference.name, kube)
    return resolve_checks(case.policy, case.model, case.plan, template)


async def find_unreadable(
    case: Case, checks: tuple[Check, ...], prometheus: Prometheus
) -> str | None:
    """Return why a candidate would wait in its first step for what can never be answered, or None.

    With traffic each check says so itself, and the others go on.  A Prometheus that does not
    answer now may later: it holds only what it held before.
    """
    if case.spec.goes_back:
        return None
    own, pairing = case.policy.analysis, _pair(case)
    target = pairing.target(case.spec.version)
    template = f"analysis.templateRef {own.template_ref.name}" if own.template_ref else ""
    shared = (check for check in checks if check not in (own.checks or ()))
    queries = (*find_queries(case.policy), *find_in_checks(shared, template))

    def fill(text: str) -> str:
        return fill_query(text, target, stable=pairing.stable, length=DEFAULT_WINDOW)

    mistakes = await find_mistakes((query for query in queries if query.decides), fill, prometheus)
    if mistakes is None and case.status.reason == Reason.ANALYSIS_UNAVAILABLE:
        return _SILENT
    if not mistakes:
        return None
    return (
        f"{shorten(mistakes, 800)}; correct it; if it is in the Model itself, "
        "`fairlead abort MODEL` and `fairlead retry MODEL` begin again with it"
    )


async def _read_template(namespace: str, name: str, kube: Kube) -> AnalysisTemplateSpec:
    """Read the template.

    Raises:
        ChecksError: there is none of this name, or it cannot be read.
    """
    body = await kube.get(_TEMPLATE, namespace, name)
    if body is None:
        raise ChecksError(
            f"analysis.templateRef.name: there is no {_TEMPLATE} {name} in {namespace}; "
            "create it, or name another"
        )
    try:
        return AnalysisTemplateSpec.model_validate(body["spec"])
    except ValidationError as error:
        raise ChecksError(f"{_TEMPLATE} {name}: {error}") from error


async def _analyze(
    case: Case,
    checks: tuple[Check, ...],
    problem: str | None,
    ports: Ports,
    settled_at: Mapping[str, datetime],
) -> dict[str, Analysis]:
    """Ask the checks of each candidate, those of the present step beside the policy's."""
    status, step, interval = case.status, case.present, case.policy.analysis.interval
    pairing, since = _pair(case), status.step_since or status.since or case.now
    before = _look_before(case) if step is None or step.weight == _ALL else None
    looks = {
        version: Look(
            scene=Scene(
                pairing=pairing,
                version=version,
                since=since,
                mirrored=step is not None and step.mirror > 0,
                reference=before.reference if before else None,
                settled_at=settled_at.get(version),
                portion=_portion(
                    case, version, before, case.now - max(since, settled_at.get(version, since))
                ),
            ),
            checks=(*checks, *(step.checks if step else ())),
            interval=interval,
            stages=len(case.plan.steps) + 1,
            problem=problem,
            last=_last(case, version),
            measured_at=status.measured_at,
        )
        for version in (case.in_play if status.phase in _MEASURED else ())
    }
    measured = await asyncio.gather(*(analyze(look, ports) for look in looks.values()))
    analyses = dict(zip(looks, measured, strict=True))
    nothing = Analysis(judgments=(), measured_at=None, next_measurement=interval)
    return {version: analyses.get(version, nothing) for version in case.spec.versions}


def _last(case: Case, version: str) -> tuple[CheckStatus, ...]:
    """Return what the last look was told of a candidate."""
    return tuple(check for check in case.status.checks if check.version in {version, ""})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """The stable version's last minutes with traffic, once a candidate has all of it."""

    reference: timedelta
    held: timedelta  # how long the last step with traffic for it was held
    share: int | None  # percent that the stable version had; None where it moved


def _look_before(case: Case) -> _Before:
    """Look back over the steps in which the stable version had none."""
    plan, past = case.plan, timedelta(0)
    if not plan.compares:
        return _Before(reference=_BEFORE_DOWNTIME, held=_BEFORE_DOWNTIME, share=_ALL)
    for step in reversed(plan.steps[: case.status.step]):
        hold = _REFERENCE if step.stands else step.hold
        past += hold
        if step.weight < _ALL:
            share = None if step.follows_reward else _ALL - step.weight * len(case.spec.versions)
            held = max(_REFERENCE, hold)
            return _Before(reference=max(_REFERENCE, past), held=held, share=share)
    return _Before(reference=max(_REFERENCE, past), held=_REFERENCE, share=_ALL)


def _portion(case: Case, version: str, before: _Before | None, lasted: timedelta) -> float | None:
    """Return a candidate's share for one of the stable version's where chance does not deal."""
    if before is not None:
        return before.share and _ALL / before.share * (lasted / before.held)
    if case.present is None or case.present.sticky is None:
        return None
    shares = {arm.version: arm.weight for arm in case.status.arms}
    left = _ALL - sum(shares.values())
    return shares.get(version, 0) / left if left > 0 else None


async def _try_out(case: Case, ports: Ports, settled_at: Mapping[str, datetime]) -> Trial | None:
    """Ask what the trial of the present step says, when there is one and it is due.

    It decides nothing while pods of a candidate are replaced.
    """
    design = case.present.trial if case.present else None
    status, now = case.status, case.now
    if design is None:
        return None
    since = status.step_since or now
    last = status.trial
    passed = now - ((last and last.measured_at) or since)
    if timedelta(0) <= passed < case.policy.analysis.interval:
        return None  # not due; below zero the clock was set back
    if any(now < moment for moment in settled_at.values()):
        return None
    shares = {arm.version: arm.weight for arm in status.arms}
    stable = (last.stable,) if last and last.stable else ()
    look = TrialLook(
        pairing=_pair(case),
        in_play=tuple(arm.version for arm in status.arms if arm.reason is None),
        began=len(case.spec.versions),
        shares=shares | {case.stable_version: 100 - sum(shares.values())},
        since=since,
        changed_at=(last and last.changed_at) or since,
        before={
            arm.version: LastCount(samples=arm.samples, grown_at=arm.counted_at)
            for arm in (*status.arms, *stable)
            if arm.samples is not None
        },
    )
    return await run_trial(look, design, ports)


def _pair(case: Case) -> Pairing:
    """Put the candidates beside the stable version, with who counts their answers."""
    return Pairing(
        namespace=case.namespace,
        model=case.spec.model,
        stable=case.stable_version,
        now=case.now,
        series=GATEWAY if case.gateway.kind == "BuiltIn" else SERVERS,
    )
