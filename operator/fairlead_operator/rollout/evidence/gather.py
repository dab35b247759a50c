"""What speaks for and against the candidates: the checks of each, and the trial between them."""

import asyncio
import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from fairlead_operator.api.checks import Check
from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.ports import Ports
from fairlead_operator.rollout.case import Case
from fairlead_operator.rollout.decision.states import is_finished
from fairlead_operator.rollout.evidence.analysis import Analysis, Look, analyze
from fairlead_operator.rollout.evidence.checks import ChecksError, resolve_checks
from fairlead_operator.rollout.evidence.queries import GATEWAY, SERVERS, Series
from fairlead_operator.rollout.evidence.trial import TrialLook, run_trial
from fairlead_operator.rollout.statistics.ab_test import Trial
from fairlead_operator.rollout.statistics.verdict import Judgment

_MEASURED: Final = frozenset({Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING})
_REFERENCE: Final = timedelta(minutes=1)  # least of the stable version's last minutes at 100 %


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it, as it stands now."""

    problem: str | None  # why the checks are not known
    analyses: Mapping[str, Analysis]  # of every candidate; of one not in play without judgments
    trial: Trial | None  # what it says; None where there is none, or it is not due

    @property
    def judgments(self) -> tuple[tuple[str, Judgment], ...]:
        """With the version that was measured."""
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


async def gather_evidence(case: Case, ports: Ports) -> Evidence:
    """Ask what is due, and keep what is not.

    Raises:
        TransientError: the cluster did not answer.
    """
    checks = await _resolve(case, ports)
    problem = checks if isinstance(checks, str) else None
    known = () if isinstance(checks, str) else checks
    analyses = await _analyze(case, known, problem, ports)
    return Evidence(problem=problem, analyses=analyses, trial=await _try_out(case, ports))


async def _resolve(case: Case, ports: Ports) -> tuple[Check, ...] | str:
    """The checks of every step, or why they are not known."""
    if is_finished(case.phase):
        return ()
    try:
        return await resolve_checks(case.policy, case.model, case.namespace, ports.kube)
    except ChecksError as error:
        return str(error)[:1000]


async def _analyze(
    case: Case, checks: tuple[Check, ...], problem: str | None, ports: Ports
) -> dict[str, Analysis]:
    """The checks of each candidate, those of the present step beside the policy's."""
    status, step, now = case.status, case.present, case.now
    interval = case.policy.analysis.interval
    looks = {
        version: Look(
            namespace=case.namespace,
            model=case.spec.model,
            stable=case.stable_version,
            version=version,
            checks=(*checks, *(step.checks if step else ())),
            interval=interval,
            since=status.step_since or status.since or now,
            mirrored=step is not None and step.mirror > 0,
            stages=len(case.plan.steps) + 1,
            reference=None if step else max(_REFERENCE, case.plan.steps[-1].hold),
            problem=problem,
            last=tuple(check for check in status.checks if check.version in {version, ""}),
            measured_at=status.measured_at,
            series=_series(case),
        )
        for version in (case.in_play if status.phase in _MEASURED else ())
    }
    analyses = await asyncio.gather(
        *(analyze(look, ports=ports, now=now) for look in looks.values())
    )
    found = dict(zip(looks, analyses, strict=True))
    nothing = Analysis(judgments=(), measured_at=None, next_measurement=interval)
    return {version: found.get(version, nothing) for version in case.spec.versions}


async def _try_out(case: Case, ports: Ports) -> Trial | None:
    """What the trial says, when there is one and it is due."""
    design = case.plan.trial
    if design is None:
        return None
    status = case.status
    if status.phase not in {Phase.PROGRESSING, Phase.PAUSED} or status.step > 0:
        return None  # a trial is the only step of its plan
    now = case.now
    since = status.step_since or now
    known = status.trial
    passed = now - ((known and known.measured_at) or since)
    if timedelta(0) <= passed < case.policy.analysis.interval:
        return None  # not due; below zero the clock was set back
    shares = {arm.version: arm.weight for arm in status.arms}
    look = TrialLook(
        namespace=case.namespace,
        model=case.spec.model,
        stable=case.stable_version,
        versions=tuple(arm.version for arm in status.arms if arm.reason is None),
        shares=shares | {case.stable_version: 100 - sum(shares.values())},
        since=since,
        changed_at=(known and known.changed_at) or since,
        series=_series(case),
    )
    return await run_trial(look, design, ports=ports, now=now)


def _series(case: Case) -> Series:
    """Say who counts the answers: the built-in gateway, or the servers behind another."""
    return GATEWAY if case.gateway.kind == "BuiltIn" else SERVERS
