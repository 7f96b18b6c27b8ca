"""`python -m tests.golden.write [dialect ...] [--all]`: writes the expected files that are missing, for review.

With `--all` those that are there and differ as well. What it wrote is listed; nothing else is touched.
"""

from __future__ import annotations

import sys

from tests.golden.matrix import PACKAGES, cases, codecs, expected_path, load, render, targets


def main(arguments: list[str]) -> int:
    every = "--all" in arguments
    named = [argument for argument in arguments if argument != "--all"]
    unknown = sorted(set(named) - set(PACKAGES))
    if unknown:
        print(f"No such dialect: {', '.join(unknown)}. Known: {', '.join(PACKAGES)}.")
        return 2
    for dialect in named or PACKAGES:
        if dialect not in codecs():
            continue
        for path in cases(dialect):
            case = load(path)
            for target in targets(dialect, case.kind):
                expected = expected_path(path, target)
                if expected.exists() and not every:
                    continue
                text = render(dialect, case, target)
                if not expected.exists() or expected.read_text(encoding="utf-8") != text:
                    expected.write_text(text, encoding="utf-8")
                    print(expected.relative_to(expected.parents[3]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
