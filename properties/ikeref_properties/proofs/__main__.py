"""Proves every statement anew and writes the certificates: `python -m ikeref_properties.proofs [ID ...]`."""

import json
import sys
from pathlib import Path

from ikeref_model.explore import Schedule

from ikeref_properties.proofs import BY_ID, certificate, verify


def main(ids: list[str]) -> int:
    """Write the certificates of these statements (of all if none is named). Exit status 1 if one is refuted."""
    status = 0
    for id in ids or list(BY_ID):
        statement = BY_ID[id]
        found = certificate(statement)
        if isinstance(found, Schedule):
            print(f"{id}: refuted\n{found.text()}")
            status = 1
            continue
        verdict = verify(statement, found)
        print(f"{id}: {verdict.claim}, {verdict.size}, checked in {verdict.seconds:.1f} s; {verdict.bounds}")
        status |= not verdict.good
        clauses = ",\n  ".join(json.dumps(each) for each in found.pop("clauses"))
        text = json.dumps(found, indent=1)
        text = text[:-2] + f',\n "clauses": [\n  {clauses}\n ]\n}}\n'
        Path(__file__).parent.joinpath("certificates", f"{id}.json").write_text(text, "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
