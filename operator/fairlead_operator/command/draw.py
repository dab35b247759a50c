"""Draws a view for a terminal of any width, or for a file.  Pure."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fairlead_operator.api.phases.model import Phase
from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.command.refusals import Object, status_of
from fairlead_operator.command.view import Asked, Check, Version, View
from fairlead_operator.text import contrast

_NOTHING: Final = "-"
_BAR: Final = 20  # signs for all the traffic
_LONGEST_COUNT: Final = 1e12
_ROOM: Final = 76  # columns that tables need
_STYLES: Final = {
    Verdict.SUCCESSFUL.value: "green",
    Verdict.FAILED.value: "bold red",  # a Model's phase has the same name
    Verdict.INCONCLUSIVE.value: "yellow",
    Verdict.ERROR.value: "magenta",
    "accepted": "green",
    "refused": "red",
    Phase.SERVING.value: "green",
    Phase.ROLLING_OUT.value: "cyan",
    Phase.BLOCKED.value: "red",
}


def draw(view: View, *, width: int) -> RenderableType:
    """Draw the whole view, one part below the other."""
    wide = width >= _ROOM
    parts: list[RenderableType] = [_title(view), _facts(view.facts)]
    if view.versions:
        parts += [Text(), _versions(view.versions, bars=wide), *_notes(view.versions)]
    if view.checks:
        parts += [Text(), _checks(view.checks) if wide else _check_lines(view.checks)]
    if view.requests:
        parts += [Text(), _requests(view.requests) if wide else _request_lines(view.requests)]
    return Group(*parts)


def _title(view: View) -> Text:
    return Text.assemble((view.title, "bold"), "  ", (view.phase, _STYLES.get(view.phase, "")))


def _facts(facts: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True, min_width=9)
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(name, Text(text))
    return table


def _versions(versions: Sequence[Version], *, bars: bool) -> Table:
    counted = any(version.samples is not None for version in versions)
    numbers = ("SAMPLES", "GOOD") if counted else ()
    table = empty_table("VERSION", "ROLE", right=("ASKED", "SEEN", *numbers))
    if bars:
        table.add_column("")
    for version in versions:
        cells: list[RenderableType] = [Text(version.version, "bold"), version.role]
        cells += [_percent(version.asked), _percent(version.reported)]
        if counted:
            good = _NOTHING if version.good is None else f"{version.good * 100:.2f} %"
            cells += [number(version.samples), good]
        table.add_row(*cells, *([_bar(version)] if bars else []))
    return table


def _notes(versions: Sequence[Version]) -> Iterator[Text]:
    """Say why versions left a trial."""
    for version in versions:
        if version.note:
            yield Text(f"{version.version} left the trial: {version.note}")


def _bar(version: Version) -> Text:
    """Draw solid blocks for what the gateway gives, light ones for what it does not give yet."""
    solid, asked = (round((part or 0) * _BAR / 100) for part in (version.reported, version.asked))
    style = "green" if version.role == "stable" else "cyan"
    return Text.assemble(("█" * solid, style), ("░" * max(0, asked - solid), style))


def _checks(checks: Sequence[Check]) -> Table:
    several = any(check.version for check in checks)
    versions = ("VERSION",) if several else ()
    table = empty_table("CHECK", *versions, "VERDICT", right=("VALUE", "SAMPLES", "STABLE"))
    table.add_column("BOUND", overflow="fold")
    for check in checks:
        cells: list[RenderableType] = [check.name, *([check.version] if several else [])]
        cells.append(_verdict(check))
        cells += [_value(check), number(check.samples), number(check.stable)]
        table.add_row(*cells, Text(check.bound))
    return table


def _check_lines(checks: Sequence[Check]) -> RenderableType:
    lines = []
    for check in checks:
        of = f" of {check.version}" if check.version else ""
        parts = [f"value {_value(check)}"]
        parts += [f"bound {check.bound}"] if check.bound else []
        parts += [f"{number(check.samples)} samples"] if check.samples is not None else []
        parts += [f"stable {number(check.stable)}"] if check.stable is not None else []
        lines.append(Text.assemble(f"{check.name}{of}: ", _verdict(check)))
        lines.append(Text("  " + ", ".join(parts)))
    return Group(*lines)


def _value(check: Check) -> str:
    """Write the value so that it reads on the side of its limits where it is."""
    if check.value is None or not check.limits:
        return number(check.value)
    return contrast([check.value], check.limits, flags=",")[0]


def _verdict(check: Check) -> Text:
    return Text(check.verdict, _STYLES.get(check.verdict.partition(" ")[0], ""))


def _requests(requests: Sequence[Asked]) -> Table:
    table = empty_table("ASKED AT (UTC)", "REQUEST", "ANSWER")
    table.add_column("BY AND WHY", overflow="fold")
    for asked in requests:
        table.add_row(asked.at, asked.action, _answer(asked), Text(_words(asked)))
    return table


def _request_lines(requests: Sequence[Asked]) -> RenderableType:
    return Group(
        *(
            Text.assemble(f"{asked.at} {asked.action} ", _answer(asked), f": {_words(asked)}")
            for asked in requests
        )
    )


def _answer(asked: Asked) -> Text:
    return Text(asked.outcome, _STYLES.get(asked.outcome, ""))


def _words(asked: Asked) -> str:
    """Return who asked and why, and the reason for a refusal."""
    if asked.outcome != "refused":
        return asked.who
    return f"{asked.who} ({asked.message})" if asked.who else asked.message


def empty_table(*left: str, right: Sequence[str] = ()) -> Table:
    """Build a frameless table of left- and right-aligned columns that never fold."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in left:
        table.add_column(name, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def number(value: float | None) -> str:
    """Format a number with four digits; write a count in full."""
    if value is None:
        return _NOTHING
    whole = math.isfinite(value) and value == int(value)
    return f"{value:,.0f}" if whole and abs(value) < _LONGEST_COUNT else f"{value:.4g}"


def _percent(value: int | None) -> str:
    return "?" if value is None else f"{value} %"


def draw_models(models: Sequence[Object], *, namespaces: bool = False) -> RenderableType:
    """Draw one line for each Model, if wished with its namespace."""
    table = empty_table(
        *(["NAMESPACE"] if namespaces else []), "MODEL", "PHASE", "STABLE", "ROLLOUT"
    )
    table.add_column("MESSAGE", overflow="fold")
    for model in models:
        status = status_of(model)
        phase = str(status.get("phase", Phase.PENDING))
        ready = [entry for entry in status.get("conditions") or () if entry["type"] == "Ready"]
        table.add_row(
            *([model["metadata"]["namespace"]] if namespaces else []),
            model["metadata"]["name"],
            Text(phase, _STYLES.get(phase, "")),
            (status.get("stable") or {}).get("version", _NOTHING),
            str(status.get("rollout", _NOTHING)),
            Text(ready[0].get("message", "") if ready else ""),
        )
    return table
