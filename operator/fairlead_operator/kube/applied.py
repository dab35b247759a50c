"""Tells whether applying a manifest would change anything.  Pure.

Server-side apply sets what the manifest names, and removes what an earlier manifest
named and this one does not.  Each object therefore carries the digest of the manifest
it was last applied from: if that is the same and the live object has all of its values,
applying changes nothing.  Where the API server writes a value in its own way (``1000m``
for ``1``) the answer is "may change", which costs one request.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from fairlead_operator.api.group import ANNOTATION_APPLIED

# Fields that are replaced as a whole: a key somebody added is a difference.
_WHOLE: Final = frozenset({"selector"})


def sign(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest with its own digest in an annotation."""
    text = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(text).hexdigest()[:16]
    meta = manifest["metadata"]
    annotations = {**(meta.get("annotations") or {}), ANNOTATION_APPLIED: digest}
    return {**manifest, "metadata": {**meta, "annotations": annotations}}


def signature(body: Mapping[str, Any]) -> str | None:
    """Return the digest that a signed manifest or a live object carries."""
    digest = (body["metadata"].get("annotations") or {}).get(ANNOTATION_APPLIED)
    return None if digest is None else str(digest)


def is_applied(signed: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Tell whether the live object was applied from this manifest and still has all of it."""
    return _has(live, signed) and not is_sealed(signed, live)


def is_sealed(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Tell whether somebody has made the ConfigMap or Secret immutable."""
    return live.get("immutable") is True and manifest.get("immutable") is not True


def _has(live: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            live.get(key) == value if key in _WHOLE else _has_field(live, key, value)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(live, list) and _has_items(live, wanted)
    return bool(live == wanted) and type(live) is type(wanted)


def _has_field(live: Mapping[str, Any], key: str, wanted: Any) -> bool:
    if key not in live:
        # The API server leaves out what is empty.
        return wanted in ("", None) or (isinstance(wanted, Mapping | list) and not wanted)
    return _has(live[key], wanted)


def _has_items(live: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Compare lists: match named items by name and allow others more; else compare all in order."""
    named = all(isinstance(item, Mapping) and "name" in item for item in (*wanted, *live))
    if not named:
        return len(live) == len(wanted) and all(map(_has, live, wanted))
    by_name = {item["name"]: item for item in live}
    return all(item["name"] in by_name and _has(by_name[item["name"]], item) for item in wanted)
