"""What rules say of a text's form, as patterns that a validator without CEL can read."""

import re
from typing import Any

from fairlead_operator.api.base import INT_OR_STRING

_FORM = re.compile(r"^(?:self|string\(self\))\.matches\(r'(.*?)'\)(?: && |$)")


def with_patterns(node: Any) -> Any:
    """Put the pattern of each rule of form beside the rule."""
    if isinstance(node, list):
        return [with_patterns(item) for item in node]
    if not isinstance(node, dict):
        return node
    rules = node.get("x-kubernetes-validations", [])
    forms = [match[1] for rule in rules if (match := _FORM.match(rule["rule"]))]
    whole = {key: with_patterns(value) for key, value in node.items()}
    if INT_OR_STRING in node:
        whole |= {"type": ["integer", "string"], "minimum": 0}
    return whole | ({"allOf": [{"pattern": form} for form in forms]} if forms else {})
