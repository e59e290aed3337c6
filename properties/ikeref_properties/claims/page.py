"""docs/properties.md: the committed claims for a reader; `python -m ikeref_properties.claims docs/properties.md`."""

from ikeref_properties.claims import CLAIMS, NOT_YET, Part, Property, Reference, properties
from ikeref_properties.claims.establish import formula

HEAD = """# Properties

What must hold of IKEv2's session layer, for the rows of the model and for the code, and how far that is
established. The table is `properties.toml` beside `ikeref_properties.claims`; the tests hold every claim to its
checks, and a claim that gets weaker fails. `ikeref prove` shows the same and checks it again, `ikeref prove 10`
a property in full, `--all` runs the searches, the kernels and the tests too. This page is written by `python -m
ikeref_properties.claims docs/properties.md`.

| claim | means |
| --- | --- |
| proved | of the rows: an inductive invariant, re-checked by an independent checker, or z3 on every state of one end |
| exhaustive to bound | every state within the bound was visited: of the rows, or of two real ends |
| all paths | of the code: z3 judged each path of the shipped function, at the size stated |
| tested | of the code: by examples, vectors, or the Hypothesis machines, which judge invariants at every step |
| not yet | wanted, and missing |

`proof:` names a statement with a certificate, `sentence:` a sentence of the RFC held against all rows, `rows:`
a question about the whole table, `search:` an exhaustive search, `kernel:` a function of the code, `invariant:`
a rule that the machines judge by, `test:` a test.
"""


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, _overview(), *(_property(each) for each in properties())))


def _overview() -> str:
    lines = ["| | property | section | rows | code |", "| ---: | --- | --- | --- | --- |"]
    for each in properties():
        rows, code = (_claims(each, subject) for subject in ("rows", "code"))
        lines.append(f"| {each.id} | {each.title} | {', '.join(each.sections)} | {rows} | {code} |")
    return "\n".join((*lines, ""))


def _claims(one: Property, subject: str) -> str:
    claims = {part.claim for part in one.parts if part.subject == subject}
    return ", ".join(sorted(claims, key=CLAIMS.index, reverse=True)) or "-"


def _property(one: Property) -> str:
    requirements = ", ".join(f"`{each}`" for each in one.requirements)
    lines = [
        f"## {one.id}. {one.title}",
        "",
        f"`{one.name}`, {one.level}, Section {', '.join(one.sections)}. {requirements}",
        "",
    ]
    for part in one.parts:
        lines += _part(part)
    return "\n".join(lines)


def _part(part: Part) -> list[str]:
    claim = part.claim if part.claim == NOT_YET else f"**{part.claim}**"
    lines = [f"* {claim} of the {part.subject}: {part.says}"]
    lines += [f"  * {_check(each)}" for each in part.checks]
    return [*lines, ""]


def _check(reference: Reference) -> str:
    written = formula(reference)
    return f"`{reference}`" + (f": `{written}`" if written else "")
