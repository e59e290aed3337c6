"""Which requirements are cited where.

In a checkout: `python -m ikeref_properties.catalogue.coverage > docs/coverage.md`. A citation is the id of a
requirement (7296-2.1-11) in a source file. It says that somebody thought of the rule there, and leads to the place;
whether the place is right is what tests and proofs are for.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from ikeref_properties.catalogue import requirements

PLACES: Final = (
    ("code", ("ikeref",)),
    ("rows", ("model",)),
    ("properties", ("properties",)),
    ("tests", ("tests",)),
)
"""Columns of the table, and the folders of a checkout that each stands for."""

_ID: Final = re.compile(r"\b\d{4}-[0-9A-Z.]+-\d{2}\b")


class Coverage(NamedTuple):
    """Ids cited in each place."""

    cited: dict[str, frozenset[str]]

    @property
    def anywhere(self) -> frozenset[str]:
        return frozenset().union(*self.cited.values())


def measure(root: Path) -> Coverage:
    """Read a checkout. The catalogue's own files don't count."""
    known = requirements().keys()
    cited = {}
    for place, folders in PLACES:
        found: set[str] = set()
        for folder in folders:
            for path in sorted((root / folder).rglob("*")):
                if path.suffix not in (".py", ".toml") or path.parent.name == "catalogue":
                    continue
                found |= known & set(_ID.findall(path.read_text(encoding="utf-8")))
        cited[place] = frozenset(found)
    return Coverage(cited)


def table(coverage: Coverage) -> str:
    """Markdown: sections in rows, how many of their requirements are cited where; RFC 7296 alone."""
    known = [each for each in requirements().values() if each.rfc == 7296]
    total = Counter(each.section for each in known)
    section_of = {each.id: each.section for each in known}
    columns = {
        place: Counter(section_of[id] for id in ids if id in section_of) for place, ids in coverage.cited.items()
    }
    columns["anywhere"] = Counter(section_of[id] for id in coverage.anywhere if id in section_of)
    lines = [
        "| section | requirements | " + " | ".join(columns) + " |",
        "| --- | ---: |" + " ---: |" * len(columns),
    ]
    for section in total:
        cells = " | ".join(str(counts[section] or "") for counts in columns.values())
        lines.append(f"| {section} | {total[section]} | {cells} |")
    cells = " | ".join(str(counts.total()) for counts in columns.values())
    lines.append(f"| all | {total.total()} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Print the page."""
    print("# Requirements of RFC 7296, and where they are cited\n")
    print(
        "Made by `python -m ikeref_properties.catalogue.coverage`. A citation is an id such as 7296-2.1-11 in a source"
    )
    print("file: it leads to the place where a rule is met, stated, proved or tested.\n")
    print(table(measure(Path(sys.argv[1] if len(sys.argv) > 1 else "."))))


if __name__ == "__main__":
    main()
