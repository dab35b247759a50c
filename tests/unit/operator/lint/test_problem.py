"""Values are shown as Go shows them, because the sentences are the API server's."""

from typing import Any

import pytest

from fairlead_operator.lint.problem import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(True, "true", id="a truth"),
        pytest.param(33, "33", id="a number"),
        pytest.param(0.51, "0.51", id="a fraction"),
        pytest.param(1e-05, "1e-05", id="a small one"),
        pytest.param(123456789.5, "1.234567895e+08", id="a large one"),
        pytest.param(1e21, "1e+21", id="a huge one"),
        pytest.param("a b", '"a b"', id="text"),
        pytest.param('say "no"\n', '"say \\"no\\"\\n"', id="quotes and lines"),
        pytest.param("ü €\x00\x1f\x7f", '"ü €\\x00\\x1f\\x7f"', id="letters stay, controls do not"),
        pytest.param("\u200b\U000e0001", '"\\u200b\\U000e0001"', id="what nobody sees"),
        pytest.param({"b": [1, None], "a": "<"}, '{"a":"\\u003c","b":[1,null]}', id="JSON"),
        pytest.param(None, "null", id="nothing"),
    ],
)
def test_a_value_is_shown_as_the_server_shows_it(value: Any, text: str) -> None:
    assert shown(value) == text
