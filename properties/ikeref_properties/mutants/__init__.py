"""Seeded faults of the real code: what must be found by the properties. A property that finds none is decoration.

`python -m ikeref_properties.mutants` lists them, tries one or all, and writes docs/mutants_code.md. Faults of the rows
stand in `ikeref_properties.rowmutants` and `ikeref_properties.mutants_rows`, those of the decision kernels in
`ikeref_properties.kernels`.
"""

from ikeref_properties.mutants import children, deletes, initial, messages, rekeys
from ikeref_properties.mutants.seeding import Edit, Mutant, seeded

MUTANTS: tuple[Mutant, ...] = (
    *initial.MUTANTS,
    *messages.MUTANTS,
    *deletes.MUTANTS,
    *children.MUTANTS,
    *rekeys.MUTANTS,
)

__all__ = ["MUTANTS", "Edit", "Mutant", "find", "seeded"]


def find(name: str) -> Mutant:
    """The fault of that name, or of that id. Raises KeyError where there is none."""
    for each in MUTANTS:
        if name in (each.name, each.id):
            return each
    raise KeyError(name)
