"""A broken rule on a terminal: the rule, what falls in the rows, what falls in the code."""

import textwrap

from ikeref_model.system import PEER
from ikeref_model.tables import BY_NAME
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ikeref.cli.spec import card, headline
from ikeref.cli.tour.breaking.choose import Chosen
from ikeref.cli.tour.breaking.code import INVARIANTS, Ran
from ikeref.cli.tour.breaking.rows import Fall, Move
from ikeref.cli.tour.breaking.table import BREAKS, Break
from ikeref.cli.tour.ladder import NARROWEST, WIDEST, ladder
from ikeref.cli.tour.report import Report
from ikeref.cli.tour.trace import Arrival
from ikeref.cli.tour.verdicts import About, Standing, Verdict

DIM, BAD, GOOD = "bright_black", "bold red", "green"
LEFT = 4
SHOWN = 3
"""So many faults of one check."""


def listing() -> RenderableType:
    """All rules that are offered."""
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style=DIM)
    for head in ("rule", "broken, it says", "section", "shown in"):
        grid.add_column(head, no_wrap=head != "broken, it says", overflow="fold")
    for each in BREAKS:
        what = Text(each.what)
        if each.literal:
            what.append(" (a reading of the RFC)", "yellow")
        shown = [*(["rows"] if each.by else []), *(["code"] if each.mutant else [])]
        grid.add_row(Text(each.name, "bold"), what, each.section, ", ".join(shown))
    return Group(
        grid,
        Text(),
        Text("ikeref tour --break RULE. The name of any row (`ikeref spec`) will do too.", DIM),
    )


def rule(chosen: Chosen) -> RenderableType:
    """What is broken: the row as it is, and what it says now."""
    each = chosen.rule
    row = BY_NAME[each.rows[0]]
    title = Text.assemble((each.name, "bold cyan"), f"  Section {each.section}")
    parts: list[RenderableType] = [title, Text(), Text("The rule", "bold"), headline(row), card(row, False)]
    others = [BY_NAME[name] for name in each.rows[1:]]
    if others:
        named = ", ".join(f"{other.name} ({other.section})" for other in others)
        parts.append(Text(f"  and with it {named}", DIM))
    parts += [Text(), Text.assemble(("Broken  ", BAD), each.what)]
    if each.literal:
        parts.append(Text("The RFC can be read like this: docs/silences.md.", "yellow"))
    return Group(*parts)


# The rows


def rows(chosen: Chosen, console: Console) -> RenderableType:
    """What falls in the model."""
    found = chosen.fall
    if found is None:
        return Text("\nThe rows don't speak of this: only the code can show it.", DIM)
    width = min(console.width, WIDEST)
    parts: list[RenderableType] = [Text(), _heading("The rows, broken"), *_said(found.how, width, DIM)]
    if found.moves:
        parts += _ladder(found, chosen.rule, console)
    parts += _said(f"✗ {found.name} (Section {found.section})", width, BAD)
    for each in found.wrong:
        parts += _said(each, width, "", "  ")
    for end, has in found.left:
        parts += _said(f"{end} is left with: {has}", width, DIM, "  ")
    if found.kept:
        parts += _said(f"✓ With the rule in its place: {found.kept}.", width, GOOD)
    return Group(*parts)


def _heading(title: str) -> RenderableType:
    return Rule(Text(title, "bold"), align="left", style=DIM)


def _said(text: str, width: int, style: str, indent: str = "") -> list[RenderableType]:
    """Lines of at most so many columns; what follows the first is set in."""
    lines = textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
    return [Text(line, style) for line in lines]


def _ladder(found: Fall, chosen: Break, console: Console) -> list[RenderableType]:
    """Each message where it is sent; `gets 1` where it arrives."""
    width = max(NARROWEST, min(console.width, WIDEST))
    inner = width - LEFT - 6
    lines = _said(f"about {found.scope}", width, DIM) if found.scope else []
    if found.lowest:
        lines.append(Text(f"the lowest nonce is in {found.lowest}'s exchange", DIM))
    lines.append(Text())
    lines.append(Text.assemble(" " * LEFT, ("A", "bold"), " " * (inner), ("B", "bold")))
    sent = 0
    under_way: dict[tuple[str, str, str, str, str], int] = {}
    for number, move in enumerate(found.moves, 1):
        if not move.end:
            lines.append(_line("", move.said.center(inner, "·"), DIM))
            continue
        gets = under_way.pop(_key(move), 0) if move.what in ("request", "response") else 0
        lines += _step(number, move, gets, chosen, inner)
        if move.what in ("send", "request") and _sends(move):
            sent += 1
            under_way[_sent_key(move)] = sent
            lines.append(_arrow(sent, move, inner))
    return [*lines, Text()]


def _sends(move: Move) -> bool:
    return move.what == "send" or bool(move.said)


def _key(move: Move) -> tuple[str, str, str, str, str]:
    return (move.end, move.what, move.kind, move.ike, move.child)


def _sent_key(move: Move) -> tuple[str, str, str, str, str]:
    return (PEER[move.end], "request" if move.what == "send" else "response", move.kind, move.ike, move.child)


def _step(number: int, move: Move, gets: int, chosen: Break, inner: int) -> list[Text]:
    row = BY_NAME.get(move.row)
    where = f" ({row.section})" if row is not None else ""
    broken = move.row in chosen.rows
    arrives = f"gets {gets}: " if gets else "gets what nobody sent: " if move.what != "send" else ""
    text = f"{number}. {arrives}{move.row}{where}{' ✗ broken' if broken else ''}"
    room = inner - 2
    lines = [text[start : start + room] for start in range(0, len(text), room)]
    return [
        _line("", f" {each.ljust(room) if move.end == 'A' else each.rjust(room)} ", BAD if broken else GOOD)
        for each in lines
    ]


def _arrow(number: int, move: Move, inner: int) -> Text:
    about = " ".join(word for word in (f"[{move.child}]" if move.child else "",) if word)
    over = f" on IKE SA {move.ike}" if move.ike else ""
    said = f"{move.kind} request" if move.what == "send" else f"{move.kind} response: {move.said}"
    words = f"{said} {about}".rstrip() + over
    room = inner - len(words) - 5
    if move.end == "A":
        return _line(f"{number}", f"── {words} {'─' * room}▶", "bold cyan" if move.what == "send" else "bold blue")
    return _line(f"{number}", f"◀{'─' * room} {words} ──", "bold cyan" if move.what == "send" else "bold blue")


def _line(number: str, middle: str, style: str) -> Text:
    return Text.assemble(
        (f"{number:>{LEFT - 1}} ", DIM), ("│", DIM), (middle, style), ("│", DIM), no_wrap=True, overflow="crop"
    )


# The code


def code(chosen: Chosen, report: Report, ran: Ran, twin: str, console: Console) -> RenderableType:
    """What falls in the real code."""
    rule_ = chosen.rule
    width = min(console.width, WIDEST)
    how = "run the same schedule" if not rule_.plays else "run a schedule made to show it"
    meaning = f"two real endpoints with the fault “{rule_.mutant}” {how}; A is alice, B is bob"
    parts: list[RenderableType] = [Text(), _heading("The code, broken"), *_said(meaning, width, DIM)]
    if rule_.differs:
        parts += _said(f"the fault is not quite that of the rows: {rule_.differs}", width, DIM)
    parts += [ladder(report.chapters[-1:], report.names, console, headings=False), Text()]
    parts += _violations(report, ran, width)
    if twin:
        parts += _said(f"? Without the fault the same schedule is not clean: {twin}", width, "yellow")
    else:
        parts += _said("✓ Without the fault the same schedule breaks nothing.", width, GOOD)
    return Group(*parts)


def _violations(report: Report, ran: Ran, width: int) -> list[RenderableType]:
    lines: list[RenderableType] = []
    first = next((at for at, each in enumerate(report.annotations) if each.judged and not each.accepted), None)
    bad = [each for each in report.verdicts if each.standing is Standing.VIOLATED]
    for each in bad:
        sections = "Sections" if " " in each.section else "Section"
        lines += _said(f"✗ {each.name} ({sections} {each.section.replace(' - ', ' to ')})", width, BAD)
        faults = _first(report, first) if each.about is About.BOTH and first is not None else each.faults
        for fault in faults[:SHOWN]:
            lines += _said(fault, width, "", "  ")
        if len(faults) > SHOWN:
            lines.append(Text(f"  and {len(faults) - SHOWN} more", DIM))
    held = sum(each.standing is Standing.HOLDS for each in report.verdicts)
    if not bad:
        lines.append(Text("? no check of this run finds it", "yellow"))
    lines.append(Text(f"  {held} other checks hold in this run", DIM))
    if ran.skipped:
        lines += _said(f"the code gave no occasion to: {', '.join(ran.skipped)}", width, DIM, "  ")
    return lines


def _first(report: Report, at: int) -> tuple[str, ...]:
    """Where the rows first say no."""
    moment, annotation = report.outcome.trace.moments[at], report.annotations[at]
    cause = moment.cause
    when = f"when #{cause.flight + 1} arrives at {moment.side}" if isinstance(cause, Arrival) else f"at {moment.side}"
    closest = tuple(f"closest: {each}" for each in annotation.details[:1])
    return (f"first {when}: {annotation.reason}", *closest)


def invariants(ran: Ran) -> Verdict:
    """What the invariants of the random walks say."""
    standing = Standing.VIOLATED if ran.broke else Standing.HOLDS
    return Verdict(INVARIANTS, "1.4.1 - 2.25", About.CODE, standing, "every step", ran.broke)
