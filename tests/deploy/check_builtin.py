"""Holds resources against the published schemas of Kubernetes; runs where kubernetes-validate is, .cache/tools/tools.

Reads a JSON array of resources from standard input; its arguments are versions. Writes one problem a line and exits 1
when there is one. Unknown fields, unknown kinds and unknown versions are problems.
"""

from __future__ import annotations

import functools
import json
import sys

from kubernetes_validate import utils  # type: ignore[import-not-found, unused-ignore]

# Each call would read the definitions, several MB, again.
utils.schema_contents = functools.cache(utils.schema_contents)


def problems(resource: dict[str, object], version: str) -> list[str]:
    try:
        used = utils.validate(resource, version, strict=True)
    except utils.ValidationError as error:
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"]
    except (utils.SchemaNotFoundError, utils.InvalidSchemaError, utils.VersionNotSupportedError) as error:
        return [error.message]
    return [] if used == version else [f"there is no schema of {version}, {used} was used"]


def main() -> int:
    resources = json.load(sys.stdin)
    found = [
        f"{version} {resource['kind']} {resource['metadata']['name']}: {problem}"
        for version in sys.argv[1:]
        for resource in resources
        for problem in problems(resource, version)
    ]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
