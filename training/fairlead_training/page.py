"""What the pages about a version are made of; they need nothing from elsewhere.  Pure."""

import html
from collections.abc import Mapping, Sequence
from typing import Final

from fairlead_training.evaluate import Estimate

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;color:#1c2733;max-width:46rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .6rem .2rem 0;
border-bottom:1px solid #dde3ea;font-weight:normal;vertical-align:top}th{color:#5a6b7d;width:34%}
.bar,.bin{background:#2f6f9f;height:.7rem;border-radius:2px}
.bins{display:inline-flex;align-items:flex-end;height:1.4rem;gap:1px;margin-right:.6rem}
.bin{width:.5rem}code{font-size:.85em;word-break:break-all}
"""


def build_page(title: str, sections: Sequence[tuple[str, str]]) -> str:
    """Build a page of sections, each with its title and what stands below it as HTML."""
    body = "".join(f"<h2>{html.escape(name)}</h2>{content}" for name, content in sections)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>"
    )


def build_table(rows: Mapping[str, str]) -> str:
    """Build a table of names and values, which are text."""
    lines = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{''.join(lines)}</table>"


def format_estimate(estimate: Estimate) -> str:
    """Write a value with its 95 % interval."""
    low, high = format_value(estimate.low), format_value(estimate.high)
    return f"{format_value(estimate.value)} ({low} to {high})"


def format_value(value: object) -> str:
    """Write a number with five digits, and anything else as it is."""
    if value is None:
        return "unknown"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
