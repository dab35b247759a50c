"""Base of all spec and status types, and the two value types they share.

A type here is frozen, speaks camelCase outside, and refuses unknown fields in a
spec (``Spec``) while it keeps silent about those of a newer status (``Status``).
Rules are CEL: those across fields in ``rules``, those of one field beside its
``Field``.  ``api.schema`` writes them into the CRD so that the API server refuses
the mistake before the operator sees it.  It evaluates all of them on every write,
and each ``self.field`` costs it a walk over all fields of the object: say first what
most objects are let pass by, and put into a field's own rule what needs no other field.
An object that nobody wrote is not there, nor is a field of a list's object, and each counts as
its default: reach into it by an optional path (``self.?gateway.?kind.orValue('BuiltIn')``).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel


class Rule(NamedTuple):
    """One CEL rule: what must hold, and what the user reads when it does not.

    A field's own rule has the field as ``self``; its message goes on after the field's name.
    """

    rule: str
    message: str
    field_path: str | None = None  # for example ".search.metric"


def above(low: float) -> Rule:
    """Build a field's rule that a fraction is above this: the API server's own minimum lets 0 pass.

    It cuts the bound to a whole number when the value is one.
    """
    return Rule(f"self > {low!r}", f"must be above {low:g}")


def between(low: str, high: str) -> Rule:
    """Build a field's rule that bounds a duration."""
    return Rule(
        f"duration(self) >= duration('{low}') && duration(self) <= duration('{high}')",
        f"must be between {low} and {high}",
    )


def at_most(high: str) -> Rule:
    """Build a field's rule that a duration is not longer than this."""
    return Rule(f"duration(self) <= duration('{high}')", f"must be at most {high}")


WORDS_OF_FORM: Final = "form"


def formed(words: str) -> dict[str, Any]:
    """Say what a pattern asks for, with an example: a user reads this and not the pattern."""
    return {WORDS_OF_FORM: words}


INT_OR_STRING: Final = "x-kubernetes-int-or-string"


def from_number(value: object) -> object:
    """Write a whole number as the text that a field of ``INT_OR_STRING`` means by it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


PLACEHOLDERS: Final = ("namespace", "model", "version", "stable", "window")


def placeholders(*names: str) -> tuple[Rule, Rule]:
    """Build the rules of a query: only these are replaced, and only as they are written here.

    What opens twice must go on with one of the names; a name between single braces is no PromQL.
    """
    either = "|".join(names)
    shown = ", ".join("{{" + name + "}}" for name in names)
    argument = r"arguments\.[a-zA-Z][a-zA-Z0-9]*"
    return (
        Rule(
            rf"self.matches(r'^([^{{]|\{{[^{{]|\{{?\{{\{{({either}|{argument})\}}\}})*\{{?$')",
            f"may hold only the placeholders {shown}, and {{{{arguments.NAME}}}} in an "
            "AnalysisTemplate, each without blanks and with its two braces at both ends",
        ),
        Rule(
            rf"!self.matches(r'(^|[^{{])\{{({either})\}}([^}}]|$)')",
            f"must write a placeholder with two braces, for example {{{{{names[-1]}}}}}",
        ),
    )


NAMED_ONCE: Final = Rule(
    "self.all(a, self.exists_one(b, b.name == a.name))",
    "must not use a name twice; rename one of the two",
)


class _Base(BaseModel):
    """What spec and status types have in common."""

    rules: ClassVar[tuple[Rule, ...]] = ()


class Spec(_Base):
    """Base of what a user writes."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class Status(_Base):
    """Base of what the operator writes."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    def to_manifest(self) -> dict[str, Any]:
        """Write it as it stands in the object: camelCase, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


# Six digits are 114 years; more would overflow CEL's duration, and refuse without a reason.
DURATION_PATTERN: Final = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"
_UNITS: Final = {"h": 3600, "m": 60, "s": 1}


def parse_duration(text: object) -> timedelta:
    """Read ``1h30m``, ``90s``: what DURATION_PATTERN takes, and at least one part."""
    if isinstance(text, timedelta):
        return text
    parts = re.findall(r"([0-9]+)([hms])", str(text))
    if not parts or not re.fullmatch(DURATION_PATTERN, str(text)):
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m or 1h30m")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))


def to_duration(span: timedelta) -> str:
    """Write a duration the shortest way: ``1h30m``, ``45s``, ``0s``."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if n]
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(to_duration, return_type=str),
    Field(
        json_schema_extra={
            "type": "string",
            "format": None,
            "pattern": DURATION_PATTERN,
            "minLength": 2,
            "maxLength": 21,
            **formed("must be a duration in hours, minutes and seconds, for example 90s or 1h30m"),
        }
    ),
]


def to_moment(moment: datetime) -> str:
    """Write RFC 3339 in UTC with milliseconds, as everything in status has it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_moment(value: object) -> datetime | None:
    """Parse an aware moment into UTC; return None for anything else, as for one of no year."""
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


Moment = Annotated[datetime, PlainSerializer(to_moment, return_type=str)]

VERSION_PATTERN: Final = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$"
DIGEST_PATTERN: Final = r"^sha256:[0-9a-f]{64}$"
NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
COLUMN_PATTERN: Final = r"^[^\x00-\x1f]+$"

_NAME_WORDS: Final = "must be lower-case letters, digits and hyphens, for example nsw-price"
_VERSION_WORDS: Final = "must be three numbers with dots and no v before them, for example 1.4.0"
_COLUMN_WORDS: Final = "must be in one line without control characters, for example price_up"

_DIGEST_WORDS: Final = (
    "must be sha256: and 64 hexadecimal digits, for example "
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

NAMED: Final = formed(_NAME_WORDS)

SemanticVersion = Annotated[
    str, Field(pattern=VERSION_PATTERN, max_length=32, json_schema_extra=formed(_VERSION_WORDS))
]
Digest = Annotated[
    str, Field(pattern=DIGEST_PATTERN, max_length=71, json_schema_extra=formed(_DIGEST_WORDS))
]
ObjectName = Annotated[
    str, Field(pattern=NAME_PATTERN, min_length=1, max_length=253, json_schema_extra=NAMED)
]
Column = Annotated[
    str,
    Field(
        pattern=COLUMN_PATTERN,
        min_length=1,
        max_length=128,
        json_schema_extra=formed(_COLUMN_WORDS),
    ),
]
Message = Annotated[str, Field(max_length=1024)]
