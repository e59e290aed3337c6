"""Writes the page of the claims: `python -m ikeref_properties.claims docs/properties.md`."""

import sys
from pathlib import Path

from ikeref_properties.claims.page import page


def main(arguments: list[str]) -> int:
    """Write the page to the path given, or to standard output."""
    if arguments:
        Path(arguments[0]).write_text(page(), "utf-8")
    else:
        sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
