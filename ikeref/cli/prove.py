"""`ikeref prove`: what is established of IKEv2's session layer, how, and checked again now."""

import json as json_
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from ikeref_properties.claims import CLAIMS, NOT_YET, Part, Property, find, properties
from ikeref_properties.claims.establish import Established, Evidence, Options, establish, formula
from ikeref_properties.claims.references import checkout
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ikeref.cli.complain import stop

DIM = "bright_black"
NO_MATCH = 2
STYLES = {
    "proved": "bold green",
    "exhaustive to bound": "cyan",
    "all paths": "cyan",
    "tested": "yellow",
    NOT_YET: DIM,
    "refuted": "bold red",
}
ENGINES = {
    "proof": "induction",
    "sentence": "z3, one end",
    "rows": "z3, one end",
    "search": "search",
    "kernel": "z3, the code",
    "explored": "search of the code",
    "invariant": "Hypothesis",
    "test": "tests",
}
"""In the table; in full each check names its own."""
WIDE = 100
"""Columns from which on size and certificate are shown."""
FEW = 3
"""So many properties are shown in full."""
Results = dict[int, tuple[Established, ...]]


def prove(
    property: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROPERTY]",
            help="A number (10), a name or part of one (crossing-deletes), or a section (2.25.1); all without it.",
        ),
    ] = None,
    check_certificates: Annotated[
        bool, typer.Option("--check-certificates", help="Only check the committed certificates again.")
    ] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Run searches, the kernels' checks and the tests too, which takes minutes."),
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Find the invariants anew instead of checking the committed ones.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which properties hold, of the rows and of the code, how that is established, and check it again.

    Proofs about the rows are checked again each time, by a checker that knows nothing but the rows. Searches, checks
    of the shipped code on all paths, and tests are run with --all; else what they must reach is shown in brackets.

    Exit code: 0 if every claim is reached, 1 if one is not, 2 if there is no such property.
    """
    wanted = properties() if property is None else find(property)
    if not wanted:
        stop(f"there is no property “{property}”; `ikeref prove` lists them all", NO_MATCH)
    if check_certificates:
        wanted = tuple(each for each in map(_certified, wanted) if each.parts)
        if not wanted:
            stop(f"“{property}” has no certificate", NO_MATCH)
    status = Console(stderr=True)
    lack = _lack() if everything and not check_certificates else ""
    if lack:
        status.print(f"ikeref: the tests are not run: {lack}", style="yellow", soft_wrap=True, highlight=False)
    root = None if lack else checkout()
    options = Options(everything and not check_certificates, anew and not check_certificates, root)
    with status.status("checking") as spinner:
        results = establish(wanted, options, lambda what: spinner.update(f"checking {what}"))
    if json:
        typer.echo(json_.dumps(as_json(wanted, results), indent=1, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        console.print(answer(wanted, results, wide=console.width >= WIDE, everything=everything))
    if not all(each.good for parts in results.values() for each in parts):
        raise typer.Exit(1)


def _lack() -> str:
    """What the tests need and is not there; "" if they can be run."""
    if checkout() is None:
        return "ikeref was installed without them; run this from a checkout"
    return "" if find_spec("pytest") else "pytest is not installed; pip install '.[test]'"


def _certified(one: Property) -> Property:
    """The property with nothing but what has a certificate."""
    kept = ((part, tuple(each for each in part.checks if each.kind == "proof")) for part in one.parts)
    return one._replace(parts=tuple(part._replace(checks=checks) for part, checks in kept if checks))


# On a terminal


def answer(wanted: tuple[Property, ...], results: Results, *, wide: bool, everything: bool = False) -> RenderableType:
    """A table, or a few properties in full."""
    if len(wanted) <= FEW:
        return Group(*(_full(each, results[each.id]) for each in wanted), summary(wanted, results, everything))
    return Group(_table(wanted, results, wide=wide), Text(), summary(wanted, results, everything))


def _table(wanted: tuple[Property, ...], results: Results, *, wide: bool) -> RenderableType:
    lines: list[RenderableType] = []
    for one in wanted:
        lines += [_headline(one), _lines(results[one.id], wide=wide), Text()]
    return Group(*lines[:-1])


def _headline(one: Property) -> Table:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(justify="right", width=2, style="bold")
    grid.add_column(ratio=1, overflow="fold", style="bold")
    grid.add_column(justify="right", no_wrap=True, style=DIM)
    grid.add_row(str(one.id), one.title, f"Section {one.sections[0]}{' ...' if len(one.sections) > 1 else ''}")
    return grid


def _lines(parts: tuple[Established, ...], *, wide: bool) -> Table:
    grid = Table.grid(expand=True, padding=(0, 1))
    for width in (2, 4, 21):
        grid.add_column(width=width, no_wrap=True)
    grid.add_column(ratio=4, overflow="fold")
    if wide:
        grid.add_column(ratio=5, overflow="fold")
    grid.add_column(width=8, justify="right", no_wrap=True, style=DIM)
    if wide:
        grid.add_column(ratio=4, overflow="fold", style=DIM)
    for subject, claim, found in _groups(parts):
        evidence = tuple(dict.fromkeys(each for part in found for each in part.evidence))
        cells: list[RenderableType] = ["", Text(subject, DIM), _claim(claim, evidence), _engines(evidence)]
        cells += [_size(evidence)] if wide else []
        cells.append(_seconds(evidence))
        cells += [_certificates(evidence)] if wide else []
        grid.add_row(*cells)
    return grid


def _groups(parts: tuple[Established, ...]) -> list[tuple[str, str, list[Established]]]:
    """Parts of one subject and claim together, the rows first, the strongest claim first."""
    found: dict[tuple[str, str], list[Established]] = {}
    for each in parts:
        found.setdefault((each.part.subject, each.claim), []).append(each)
    order = ("refuted", *reversed(CLAIMS))
    keys = sorted(found, key=lambda key: (key[0] != "rows", order.index(key[1])))
    return [(subject, claim, found[subject, claim]) for subject, claim in keys]


def _claim(claim: str, evidence: tuple[Evidence, ...]) -> Text:
    now = all(each.ran for each in evidence)
    return Text(claim if now else f"({claim})", STYLES.get(claim, ""))


def _engines(evidence: tuple[Evidence, ...]) -> Text:
    return Text(" · ".join(dict.fromkeys(ENGINES[each.reference.kind] for each in evidence)))


def _size(evidence: tuple[Evidence, ...]) -> str:
    sizes = [each.size for each in evidence if each.size and each.reference.kind not in ("sentence", "test")]
    sizes = list(dict.fromkeys(sizes))
    sentences = sum(each.reference.kind == "sentence" for each in evidence)
    if sentences:
        sizes.append(f"{sentences} sentence{'s' if sentences != 1 else ''}")
    tests = sum(each.reference.kind == "test" for each in evidence if each.ran)
    if tests:
        sizes.append(f"{tests} test{'s' if tests != 1 else ''}")
    unrun = sum(not each.ran for each in evidence)
    if unrun:
        sizes.append(f"{unrun} check{'s' if unrun != 1 else ''}")
    return "; ".join(sizes)


def _seconds(evidence: tuple[Evidence, ...]) -> str:
    spent = [each.seconds for each in evidence if each.ran]
    return f"{sum(spent):.1f} s" if spent else ""


def _certificates(evidence: tuple[Evidence, ...]) -> str:
    named = [each.certificate.removesuffix(".json") for each in evidence if each.reference.kind == "proof"]
    return ", ".join(dict.fromkeys(each for each in named if each and " " not in each))


def _full(one: Property, parts: tuple[Established, ...]) -> RenderableType:
    head = Text.assemble((f"{one.id}  {one.title}", "bold cyan"), (f"  Section {', '.join(one.sections)}", ""))
    head.append(f"  {one.level}", DIM)
    body: list[RenderableType] = [head, Text(f"    {one.name}: {', '.join(one.requirements) or 'no requirement'}", DIM)]
    body.append(Text())
    for each in parts:
        body += [_part(each.part, each), Text()]
    return Group(*body)


def _part(part: Part, found: Established) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=DIM, no_wrap=True, width=8)
    grid.add_column(overflow="fold")
    claim = Text.assemble(_claim(found.claim, found.evidence), (f" of the {part.subject}", DIM))
    if not found.good:
        claim.append(f", but {part.claim} is wanted", "bold red")
    grid.add_row("claim", claim)
    grid.add_row("says", part.says)
    for each in found.evidence:
        grid.add_row("by", _by(each))
        if each.bound:
            grid.add_row("about" if each.claim != "refuted" else "because", Text(each.bound))
        if written := formula(each.reference):
            grid.add_row("formula", Text(written, DIM))
    if part.bound:
        grid.add_row("bound", part.bound)
    return Padding(grid, (0, 0, 0, 4))


def _by(each: Evidence) -> Text:
    words = [str(each.reference), each.engine, each.size, f"{each.seconds:.2f} s" if each.ran else "not run now"]
    if each.certificate:
        words.append(each.certificate)
    return Text(" · ".join(word for word in words if word), STYLES["refuted"] if each.claim == "refuted" else "")


def summary(wanted: tuple[Property, ...], results: Results, everything: bool = False) -> Text:
    """How many claims were reached, and how many are open."""
    parts = [each for one in wanted for each in results[one.id]]
    counts = {claim: sum(each.claim == claim for each in parts) for claim in reversed(CLAIMS)}
    words = ", ".join(f"{count} {claim}" for claim, count in counts.items() if count)
    short = sum(not each.good for each in parts)
    unrun = sum(not all(item.ran for item in each.evidence) for each in parts)
    text = Text.assemble((f"{len(parts)} claims: ", "bold"), words)
    text.append(f". {short} not reached." if short else ". All are reached.", "bold red" if short else "bold green")
    if unrun:
        text.append(f" Claims in brackets were not checked now ({unrun}){'' if everything else '; --all does'}.", DIM)
    return text


# As data


def as_json(wanted: tuple[Property, ...], results: Results) -> list[dict[str, Any]]:
    """The same for a machine."""
    found = []
    for one in wanted:
        parts = [
            {
                "subject": each.part.subject,
                "says": each.part.says,
                "wanted": each.part.claim,
                "claim": each.claim,
                "reached": each.good,
                "checks": [
                    {
                        "check": str(item.reference),
                        "claim": item.claim,
                        "engine": item.engine,
                        "size": item.size,
                        "seconds": round(item.seconds, 3),
                        "certificate": item.certificate,
                        "bound": item.bound,
                        "formula": formula(item.reference),
                        "run_now": item.ran,
                    }
                    for item in each.evidence
                ],
            }
            for each in results[one.id]
        ]
        found.append(
            {
                "id": one.id,
                "name": one.name,
                "title": one.title,
                "sections": one.sections,
                "level": one.level,
                "requirements": one.requirements,
                "goal": one.goal,
                "open": one.open(),
                "parts": parts,
            }
        )
    return found
