"""A Model and its Rollout as the command gets them, and what it draws of them."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from fairlead_operator.command.draw import draw
from fairlead_operator.command.view import build_view

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

POLICY = {
    "analysis": {
        "checks": [
            {"name": "success-rate", "builtin": "success-rate", "atLeast": 0.99},
            {"name": "p95", "builtin": "latency-p95", "atMost": 250},
        ]
    },
}
MODEL = {
    "metadata": {"name": "nsw-price", "namespace": "energy"},
    "spec": {"rollout": POLICY},
    "status": {
        "phase": "RollingOut",
        "stable": {"version": "1.3.0"},
        "conditions": [
            {"type": "Ready", "status": "True", "message": "nsw-price-rollout-4 to 1.4.0"}
        ],
        "rollout": "nsw-price-rollout-4",
    },
}
CHECKS = [
    {"name": "success-rate", "version": "1.4.0", "verdict": "Successful", "value": 0.99812,
     "samples": 812, "stable": 0.9991},
    {"name": "p95", "version": "1.4.0", "verdict": "Inconclusive", "samples": 12},
]  # fmt: skip
REQUESTS = [
    {"action": "approve", "text": "a", "by": "ada", "why": "looks good", "outcome": "Accepted",
     "answeredAt": "2026-03-04T11:31:02.123Z"},
    {"action": "resume", "text": "b", "by": "bob", "why": "", "outcome": "Refused",
     "message": "the rollout is not paused", "answeredAt": "2026-03-04T11:41:02.123Z"},
]  # fmt: skip


def rollout(**status: Any) -> dict[str, Any]:
    """Build a Rollout in its second step; each test names only what differs."""
    usual = {
        "phase": "Progressing", "reason": "StepHolding", "message": "success-rate 0.998",
        "strategy": "canary", "progress": "2/4", "holdsUntil": "2026-03-04T12:03:12.000Z",
        "stable": {"version": "1.3.0"},
        "arms": [{"version": "1.4.0", "weight": 25, "observedWeight": 10}],
    }  # fmt: skip
    return {
        "metadata": {"name": "nsw-price-rollout-4"},
        "spec": {"model": "nsw-price", "version": "1.4.0"},
        "status": usual | status,
    }


def drawn(model: Any, current: Any, *, width: int = 100) -> str:
    """Draw the lines, without color and without the spaces that a table ends in."""
    console = Console(width=width, color_system=None, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(draw(build_view(model, current, now=NOW), width=width))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
