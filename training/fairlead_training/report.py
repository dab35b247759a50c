"""The HTML report of a training: one small page that needs nothing from elsewhere.  Pure."""

import html
from collections.abc import Mapping
from typing import Any, Final

from fairlead_training.evaluate import Estimate

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;color:#1c2733;max-width:46rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem .2rem 0;
border-bottom:1px solid #dde3ea;font-weight:normal;vertical-align:top}th{color:#5a6b7d;width:34%}
.bar{background:#2f6f9f;height:.7rem;border-radius:2px}code{font-size:.85em;word-break:break-all}
"""
_SHOWN: Final = 20
_ALWAYS: Final = "always the same answer"


def render(
    title: str,
    result: Mapping[str, Any],
    *,
    metrics: Mapping[str, Estimate],
    baseline: Mapping[str, float],
    naive: Mapping[str, Mapping[str, float]],
    parameters: Mapping[str, Any],
    importance: Mapping[str, float],
    attribution: str,
    types: Mapping[str, str],
) -> str:
    """Build the page from the result document and what led to it."""
    sections = [
        ("Verdict", _table(_verdict(result))),
        ("On the hold-out", _table(_measured(metrics, {_ALWAYS: baseline, **naive}))),
        (f"What carries the model (mean size of: {attribution})", _bars(importance)),
        ("Hyperparameters", _table({name: _format(value) for name, value in parameters.items()})),
        ("Data", _table({name: _format(value) for name, value in result["data"].items()})),
        ("Columns", _table({name: str(kind) for name, kind in types.items()})),
        ("Search", _table({name: _format(value) for name, value in result["trials"].items()})),
    ]
    body = "".join(f"<h2>{html.escape(name)}</h2>{content}" for name, content in sections)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>"
    )


def _verdict(result: Mapping[str, Any]) -> dict[str, str]:
    rows = {
        "version": str(result["version"]),
        result["metric"]: _interval(result["candidate"]),
        _ALWAYS: _format(result["trivial"]),
        "digest": str(result["digest"]),
        "seconds": _format(result["seconds"]),
    }
    if result["champion"] is not None:
        champion = result["champion"]
        rows["champion " + str(champion["version"])] = _format(champion["value"])
    if result["difference"] is not None:
        rows["compared on"] = f"{result['comparedRows']} latest rows"
        rows["better by (paired, 95 % interval)"] = _interval(result["difference"])
    for number, warning in enumerate(result.get("warnings", ()), start=1):
        rows[f"warning {number}"] = str(warning)
    if "championUnavailable" in result:
        rows["no comparison"] = str(result["championUnavailable"])
    return rows


def _measured(
    metrics: Mapping[str, Estimate], others: Mapping[str, Mapping[str, float]]
) -> dict[str, str]:
    return {
        name: "; ".join(
            (
                f"{_format(metric.value)} ({_format(metric.low)} to {_format(metric.high)})",
                *(f"{_spoken(of)}: {_format(reached[name])}" for of, reached in others.items()),
            )
        )
        for name, metric in metrics.items()
    }


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _interval(estimate: Mapping[str, float | None]) -> str:
    low, high = _format(estimate["ciLow"]), _format(estimate["ciHigh"])
    return f"{_format(estimate['value'])} ({low} to {high})"


def _table(rows: Mapping[str, str]) -> str:
    lines = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{''.join(lines)}</table>"


def _bars(importance: Mapping[str, float]) -> str:
    shown = list(importance.items())[:_SHOWN]
    longest = max((value for _, value in shown), default=0.0) or 1.0
    lines = (
        f"<tr><th>{html.escape(name)}</th><td>{value:.4g}"
        f'<div class="bar" style="width:{100 * value / longest:.1f}%"></div></td></tr>'
        for name, value in shown
    )
    return f"<table>{''.join(lines)}</table>"


def _format(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
