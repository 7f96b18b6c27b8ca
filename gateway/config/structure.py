"""What is wrong with the structure of a document, all of it, in plain words.

msgspec stops at the first thing it does not like; the generated JSON Schema says the same about
every place at once, in words made for machines. This turns those into ours, one for each place.
A value from the environment is never shown: messages quote what the file says.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from gateway.config.names import router_name_problem
from gateway.config.origins import Origins
from gateway.config.problem import Path, Problem
from gateway.config.schema import Schema, routers_schema
from gateway.config.spec import KEY_HASH, KEY_NAME, OWNED_FILES, OWNER_NAME, RULE_NAME
from gateway.core.moments import MOMENT
from gateway.core.units import DURATION, SIZE

PLANNED: Final = frozenset((
    "rules", "semantic-cache", "access", "hedge", "shadow", "continuation", "tenants",
))  # fmt: skip
Found = tuple[Path, Problem]
_VAST: Final = re.compile(r"[-+]?[0-9]{19,}")
"""What was meant as a number and is text, because nothing here holds it (see scalars.py)."""
_KINDS: Final = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "`true` or `false`",
    "array": "a list", "object": "a mapping", "null": "nothing",
}  # fmt: skip
_HINTS: Final = {
    "string": "write it in quotes",
    "array": "write it as `[a, b]`, or as lines that begin with `- `",
    "object": "write its keys as further indented lines, or `{}`",
}
_PATTERNS: Final = {
    DURATION: ("a duration", "write `250ms`, `1s`, `5m`, `1h` or `30d`"),
    SIZE: ("a size", "write `64KiB`, `32MiB` or a number of bytes"),
    r"^[0-9]+(\.[0-9]+)?$": ("a weight", "write a decimal that is not negative, such as `'0.7'`"),
    OWNED_FILES: (
        "a pattern of files",
        "write it relative to the main file, without spaces, brackets or `#`: `routers.d/ml-*.yaml`",
    ),
    OWNER_NAME: ("somebody who can approve", "write `@user`, `@organisation/team` or an address"),
    r"^https?://": ("a URL", "it begins with `http://` or `https://`"),
    KEY_HASH: (
        "the hash of a key",
        "`gateway keys new` prints the entry; the key itself does not belong here",
    ),
    KEY_NAME: ("a key's name", "it has 1 to 64 of A-Z a-z 0-9 _ . -"),
    RULE_NAME: ("a rule's name", "it has 1 to 32 of A-Z a-z 0-9 . _ -, the first a letter or a digit"),
    MOMENT: ("a day or a moment", "write `2027-01-31`, or `2027-01-31T12:00Z` with its offset"),
    r"^(memory|redis|rediss|redis\+sentinel|redis\+cluster)://": (
        "the URL of a store",
        "it begins with `memory://`, `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`",
    ),
}
_SHOWN: Final = (DURATION, SIZE, MOMENT, r"^[0-9]+(\.[0-9]+)?$")
"""What is so short and plain that it may be quoted: a URL or a hash could be a secret."""


# JSON Schema takes 80.0 for an integer; msgspec does not.
_VALIDATOR: Final = extend(  # type: ignore[no-untyped-call]  # the stubs leave it bare
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def structure_problems(
    document: object, origins: Origins, fallback: str, schema: Schema | None = None
) -> dict[Path, Problem]:
    """Every problem of structure by its place. fallback: what to say should the schema find none. schema: that of
    routers.yaml where no other is given."""
    validator = _VALIDATOR(schema or routers_schema())
    found: dict[Path, Problem] = {}
    for error in validator.iter_errors(document):
        for path, problem in _explain(error, origins):
            found.setdefault(path, problem)
    return found or {(): origins.error("structure", (), fallback)}


def _explain(error: ValidationError, origins: Origins) -> Iterator[Found]:
    path: Path = tuple(error.absolute_path)
    demanded: object = error.validator_value
    if "propertyNames" in error.relative_schema_path:
        name = str(error.instance)
        message, hint = router_name_problem(name) or (str(error.message), "")
        path = (*path, name)
        yield path, origins.error("router-name", path, message, hint, at_key=True)
        return
    match error.validator:
        case "anyOf":
            yield from _explain_union(error, origins)
        case "additionalProperties":
            known = cast("Mapping[str, Mapping[str, object]]", error.schema)["properties"]
            for key in cast("Mapping[str, object]", error.instance):
                if key not in known:
                    yield _unknown_key(path, key, list(known), origins)
        case "required":
            absent = [
                key for key in cast("list[str]", demanded) if key not in cast("Mapping[str, object]", error.instance)
            ]
            names = " and ".join(f"`{key}`" for key in absent)
            yield path, origins.error("missing", path, f"{names} {'is' if len(absent) == 1 else 'are'} missing")
        case "type":
            yield path, _wrong_type(path, [str(demanded)], error.instance, origins)
        case "enum":
            yield path, _not_allowed(path, cast("list[object]", demanded), error.instance, origins)
        case "pattern":
            described = cast("Mapping[str, object]", error.schema).get("description", "")
            yield path, _bad_format(path, str(demanded), origins, str(described))
        case "minimum" | "maximum":
            bound = "at least" if error.validator == "minimum" else "at most"
            yield path, origins.error("out-of-range", path, f"must be {bound} {demanded}")
        case "exclusiveMinimum":
            yield path, origins.error("out-of-range", path, f"must be more than {demanded}")
        case "minLength" | "minItems" if demanded == 1:
            yield path, origins.error("out-of-range", path, "must not be empty")
        case _:
            yield path, origins.error("structure", path, error.message)


def _explain_union(error: ValidationError, origins: Origins) -> Iterator[Found]:
    """Explain the branch that was meant: one whose kind the value has. Several may be left, such
    as integer and number; the first to complain of something else than the kind speaks."""
    branches: dict[int, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(int(inner.relative_schema_path[0]), []).append(inner)
    meant = [errors for errors in branches.values() if not any(_is_about_kind(inner) for inner in errors)]
    path: Path = tuple(error.absolute_path)
    if meant:
        for inner in meant[0]:
            yield from _explain(inner, origins)
        return
    enums = [inner for errors in branches.values() for inner in errors if inner.validator == "enum"]
    if enums and (isinstance(error.instance, str) or len(branches) <= 2):
        yield path, _not_allowed(path, cast("list[object]", enums[0].validator_value), error.instance, origins)
        return
    kinds = [
        str(inner.validator_value) for errors in branches.values() for inner in errors if inner.validator == "type"
    ]
    yield path, _wrong_type(path, [kind for kind in dict.fromkeys(kinds) if kind != "null"], error.instance, origins)


def _is_about_kind(error: ValidationError) -> bool:
    return not error.relative_path and error.validator in ("type", "enum")


def _unknown_key(path: Path, key: str, known: list[str], origins: Origins) -> Found:
    shown = key if len(key) <= 60 else key[:57] + "..."
    close = difflib.get_close_matches(key.replace("_", "-").lower(), known, n=1)
    if close:
        message, hint = f'unknown key "{shown}"; did you mean "{close[0]}"?', ""
    elif key in PLANNED:
        message, hint = f'"{key}" is a name kept for a later version; this one does not have it', "remove it"
    else:
        message, hint = f'unknown key "{shown}"', f"known here: {', '.join(known)}"
    return (*path, key), origins.error("unknown-key", (*path, key), message, hint, at_key=True)


def _wrong_type(path: Path, kinds: list[str], instance: object, origins: Origins) -> Problem:
    if isinstance(instance, str) and kinds[0] in ("integer", "number") and _VAST.fullmatch(instance):
        return origins.error("out-of-range", path, "is larger than any number here", "at most 18 digits")
    words = [_KINDS[kind] for kind in kinds if not (kind == "integer" and "number" in kinds)]
    wanted = " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]
    node = origins.node(path)
    reference = node is not None and isinstance(node.value, str) and "${" in node.value
    hint = _HINTS.get(kinds[0], "") if len(kinds) == 1 else ""
    if reference and node is not None and node.quoted and kinds[0] in ("integer", "number", "boolean"):
        hint = "write the reference without quotes"
    elif isinstance(instance, str) and kinds[0] in ("integer", "number", "boolean"):
        hint = "write it without quotes" if node is not None and node.quoted else ""
    elif instance is None:
        hint = "give it a value, or remove the key"
    return origins.error("wrong-type", path, f"must be {wanted}, not {_kind_of(instance)}", hint)


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "`true` or `false`"
        case str():
            return "text"
        case int():
            return "a number"
        case float():
            return "a number with a decimal point"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _not_allowed(path: Path, allowed: list[object], instance: object, origins: Origins) -> Problem:
    names = [str(value) for value in allowed]
    close = difflib.get_close_matches(instance, names, n=1) if isinstance(instance, str) else []
    what = _quoted(path, origins) if isinstance(instance, str) else _kind_of(instance)
    suggestion = f"; did you mean `{close[0]}`?" if close else ""
    return origins.error(
        "not-allowed", path, f"{what} is not one of the values allowed{suggestion}", f"allowed: {', '.join(names)}"
    )


def _bad_format(path: Path, pattern: str, origins: Origins, described: str) -> Problem:
    """described: what the schema says of the value, for patterns that have no words here."""
    what, hint = _PATTERNS.get(pattern, ("what is expected here", described or f"it must match {pattern}"))
    subject = f"{_quoted(path, origins)} is" if pattern in _SHOWN else "this is"
    return origins.error("bad-format", path, f"{subject} not {what}", hint)


def _quoted(path: Path, origins: Origins) -> str:
    node = origins.node(path)
    text = re.sub(r"\s+", " ", str(node.value)) if node is not None else "this"
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
