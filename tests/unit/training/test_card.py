"""The model card: what people said and what was measured, in two forms that say the same."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fairlead_contract.graph import ColumnType
from fairlead_contract.profile import Column, Profile, Spread, Values
from fairlead_training.card import Card, Section, build_card, to_html, to_markdown
from fairlead_training.config import parse_config
from fairlead_training.evaluate import Estimate, Judgment
from support.trainer_config import config_document

CARD = {
    "owners": ["Ada", "grid@example.com"],
    "license": "internal use only",
    "intendedUse": "Bids for the next day.\n\nNot for settlement.",
}
ESTIMATE = Estimate(value=0.914, low=0.905, high=0.92)
JUDGMENT = Judgment(
    metrics={"roc_auc": ESTIMATE},
    baseline={"roc_auc": 0.5},
    trivial=0.5,
    candidate=ESTIMATE,
    comparison=None,
    compared_rows=0,
    champion_unavailable=None,
)
PROFILE = Profile(
    rows=1600,
    columns={"a|b": Column(type=ColumnType.NUMBER, seen=Spread(missing=0))},
    target=Values(missing=0, counts={"0": 1}),
    answered=400,
    answers=Spread(missing=0),
)
RESULT: Mapping[str, Any] = {
    "version": "1.1.0",
    "digest": "sha256:2",
    "metric": "roc_auc",
    "champion": None,
    "difference": None,
    "data": {"rows": 2000, "holdoutRows": 400, "digest": "sha256:3"},
    "warnings": ["it is odd"],
}
COMPARED = {
    "champion": {"version": "1.0.0", "value": 0.897},
    "difference": {"value": 0.017, "ciLow": 0.009, "ciHigh": 0.025},
    "comparedRows": 400,
}


def card(*, said: Mapping[str, Any] = CARD, **changes: Any) -> Card:
    return build_card(
        parse_config(json.dumps(config_document(card=said))),
        {**RESULT, **changes},
        judgment=JUDGMENT,
        learner="xgboost",
        importance={"a|b": 0.25},
        profile=PROFILE,
        sources=["postgresql://market/prices"],
    )


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("Ada, grid@example.com", id="owners"),
        pytest.param("internal use only", id="license"),
        pytest.param("Bids for the next day.", id="intended use"),
        pytest.param("Not for settlement.", id="its second paragraph"),
        pytest.param("it is odd", id="warnings are limitations"),
        pytest.param("0.914 (0.905 to 0.92); the same answer: 0.5", id="metrics"),
        pytest.param("postgresql://market/prices", id="sources"),
        pytest.param("There was no version before it.", id="a first version"),
    ],
)
def test_both_forms_say_it(said: str) -> None:
    assert said in to_html(card())
    assert said in to_markdown(card())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(COMPARED, "better by 0.017 (0.009 to 0.025)", id="compared"),
        pytest.param(
            {"champion": {"version": "1.0.0"}, "championUnavailable": "it is gone"},
            "It was not compared with 1.0.0: it is gone.",
            id="not compared",
        ),
    ],
)
def test_the_comparison_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in to_html(card(**changes))


def test_what_nobody_said_is_not_left_out_in_silence() -> None:
    sections = {section.title: section for section in card(said={}).sections}

    assert sections["Intended use"].words == ["Not stated."]
    assert sections["Ethical considerations"].words == ["Not stated."]
    assert sections["Limitations"].words == ["Not stated.", "it is odd"]
    assert sections["Model details"].rows["Owners"] == "Not stated."


@pytest.mark.parametrize(
    ("text", "markdown", "page"),
    [
        pytest.param("a|b", r"a\|b", "a|b", id="a bar parts no cell"),
        pytest.param("<b>", r"\<b\>", "&lt;b&gt;", id="no HTML"),
        pytest.param("[x](y)\n# z", r"\[x\](y) \# z", "[x](y)\n# z", id="no link, no title"),
    ],
)
def test_nothing_that_is_quoted_becomes_a_part_of_the_form(
    text: str, markdown: str, page: str
) -> None:
    shown = Card(title="t", sections=[Section(title="s", words=[text], rows={text: text})])

    assert f"\n{markdown}\n" in to_markdown(shown)
    assert f"| {markdown} | {markdown} |" in to_markdown(shown)
    assert to_html(shown).count(page) == 3
