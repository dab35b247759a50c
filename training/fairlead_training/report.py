"""The HTML report of a training: one small page that needs nothing from elsewhere.  Pure."""

import html
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fairlead_contract.graph import ColumnType
from fairlead_contract.profile import Profile, Spread, Values
from fairlead_training.evaluate import Estimate
from fairlead_training.page import build_page, build_table, format_estimate, format_value

_SHOWN: Final = 20
_ALWAYS: Final = "always the same answer"
_NAMED: Final = 3  # values of a category
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
    profile: Profile,
) -> str:
    """Build the page from the result document and what led to it."""
    sections = [
        ("Verdict", build_table(_verdict(result))),
        ("On the hold-out", build_table(_measured(metrics, {_ALWAYS: baseline, **naive}))),
        *([("Gates", build_table(_gates(result["gates"])))] if "gates" in result else []),
        (f"What carries the model (mean size of: {attribution})", _bars(importance)),
        (
            "Hyperparameters",
            build_table({name: format_value(value) for name, value in parameters.items()}),
        ),
        (
            "Data",
            build_table({name: format_value(value) for name, value in result["data"].items()}),
        ),
        ("Columns that it learned from", _columns(profile)),
        (
            "Search",
            build_table({name: format_value(value) for name, value in result["trials"].items()}),
        ),
    ]
    return build_page(title, sections)


def _verdict(result: Mapping[str, Any]) -> dict[str, str]:
    rows = {
        "version": str(result["version"]),
        result["metric"]: _interval(result["candidate"]),
        _ALWAYS: format_value(result["trivial"]),
        "digest": str(result["digest"]),
        "seconds": format_value(result["seconds"]),
    }
    if result["champion"] is not None:
        champion = result["champion"]
        rows["champion " + str(champion["version"])] = format_value(champion["value"])
    if result["difference"] is not None:
        rows["compared on"] = f"{result['comparedRows']} latest rows"
        rows["better by (paired, 95 % interval)"] = _interval(result["difference"])
    for number, warning in enumerate(result.get("warnings", ()), start=1):
        rows[f"warning {number}"] = str(warning)
    if "championUnavailable" in result:
        rows["no comparison"] = str(result["championUnavailable"])
    return rows


def _gates(gates: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Say what was measured for the gates; the operator says what passed."""
    return {
        " ".join(filter(None, (row["gate"], row.get("column"), row.get("metric")))): "; ".join(
            filter(
                None,
                (
                    row.get("of"),
                    _interval(row) if "value" in row else f"not measured: {row.get('missing')}",
                    f"{row['rows']} rows" if row.get("rows") else "",
                    f"{row['small']} parts too small" if row.get("small") else "",
                ),
            )
        )
        for row in gates
    }


def _measured(
    metrics: Mapping[str, Estimate], others: Mapping[str, Mapping[str, float]]
) -> dict[str, str]:
    return {
        name: "; ".join(
            (
                format_estimate(metric),
                *(
                    f"{_spoken(of)}: {format_value(reached[name])}"
                    for of, reached in others.items()
                ),
            )
        )
        for name, metric in metrics.items()
    }


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _interval(estimate: Mapping[str, float | None]) -> str:
    low, high = format_value(estimate["ciLow"]), format_value(estimate["ciHigh"])
    return f"{format_value(estimate['value'])} ({low} to {high})"


def _bars(importance: Mapping[str, float]) -> str:
    shown = list(importance.items())[:_SHOWN]
    longest = max((value for _, value in shown), default=0.0) or 1.0
    lines = (
        f"<tr><th>{html.escape(name)}</th><td>{value:.4g}"
        f'<div class="bar" style="width:{100 * value / longest:.1f}%"></div></td></tr>'
        for name, value in shown
    )
    return f"<table>{''.join(lines)}</table>"


def _columns(profile: Profile) -> str:
    """Draw what each column looked like, the target and the answers on the hold-out last."""
    answers = f"answers on {profile.answered} held-out rows"
    lines = [
        *(
            _column(name, column.seen, profile.rows, kind=column.type)
            for name, column in profile.columns.items()
        ),
        _column("target", profile.target, profile.rows),
        _column(answers, profile.answers, profile.answered),
    ]
    return f"<table>{''.join(lines)}</table>"


def _column(name: str, seen: Spread | Values, rows: int, *, kind: ColumnType | None = None) -> str:
    said = [f"{seen.missing / rows:.1%} missing"] if seen.missing and rows else []
    if isinstance(seen, Values):
        said += [f"{value}: {count}" for value, count in list(seen.counts.items())[:_NAMED]]
        rest = seen.different - min(_NAMED, len(seen.counts))
        said += [f"{rest} other values"] if rest > 0 else []
    elif seen.low is not None and seen.high is not None:
        said += _range(seen, kind)
    words = f"{kind}; {', '.join(said)}" if kind else ", ".join(said)
    return f"<tr><th>{html.escape(name)}</th><td>{_bins(seen)}{html.escape(words)}</td></tr>"


def _range(seen: Spread, kind: ColumnType | None) -> list[str]:
    low, high = seen.low or 0.0, seen.high or 0.0
    if kind is ColumnType.TIME:
        return [f"{_moment(low)} to {_moment(high)}"]
    if kind is ColumnType.BOOLEAN:
        return [f"{seen.mean or 0.0:.1%} true"]
    unit = " characters" if kind is ColumnType.TEXT else ""
    return [f"{format_value(low)} to {format_value(high)}{unit}", f"mean {format_value(seen.mean)}"]


def _moment(seconds: float) -> str:
    try:
        return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M}"
    except OverflowError:
        return f"{format_value(seconds)} s after 1970"


def _bins(seen: Spread | Values) -> str:
    """Draw the share of each bin; those of numbers are of unequal widths and drawn alike."""
    counts = list(seen.counts.values() if isinstance(seen, Values) else seen.counts)[:_SHOWN]
    most = max(counts, default=0) or 1
    bars = "".join(
        f'<div class="bin" style="height:{100 * count / most:.0f}%"></div>' for count in counts
    )
    return f'<div class="bins">{bars}</div>' if counts else ""
