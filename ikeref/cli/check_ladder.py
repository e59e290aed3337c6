"""A judged capture as a ladder diagram on a terminal, from 60 columns up."""

from typing import Final

from ikeref_properties.capture.check import Line, Report
from ikeref_properties.capture.opening import State
from ikeref_properties.capture.rules import Finding, Weight
from ikeref_properties.capture.sessions import Side
from rich.console import Console, Group
from rich.text import Text

from ikeref.cli import words

WIDEST: Final = 110
NARROWEST: Final = 60
LEFT: Final = 6
"""Columns in front of the left lifeline: the packet's number stands there."""

STYLES: Final = {
    "request": "bold cyan",
    "response": "bold blue",
    "payloads": "",
    "ok": "green",
    "bad": "bold red",
    "warning": "yellow",
    "note": "dim",
    "line": "bright_black",
}
_MARKS: Final = {
    Weight.VIOLATION: ("✗", "bad"),
    Weight.WARNING: ("!", "warning"),
    Weight.NOTE: ("·", "note"),
}


def ladder(report: Report, console: Console) -> Group:
    """Every datagram: what it is, the rows that allow it, what is to be said of it."""
    inner = max(NARROWEST, min(console.width, WIDEST)) - LEFT - 2
    ends = _Ends(report)
    head = Text.assemble((" " * LEFT + ends.left.ljust(inner - len(ends.right) + 2) + ends.right, "bold"))
    rows: list[Text] = [head]
    before = ""
    for line in report.lines:
        name = line.item.sa.name if line.item is not None else before
        if name != before and len(report.sas) > 1:
            rows.append(_row("", f" IKE SA {name} ".center(inner, "·"), STYLES["note"]))
        before = name
        rows += _datagram(line, ends.leftwards(line), inner)
    return Group(*rows)


class _Ends:
    """Which lifeline a datagram starts from; addresses may change under way (Sections 2.11 and 2.23)."""

    def __init__(self, report: Report) -> None:
        first = report.lines[0].seen.datagram
        self.left, self.right = _host(first.source), _host(first.destination)
        self.mirrored: dict[str, bool] = {}
        for line in report.lines:
            if line.item is not None:
                family = line.item.sa.family
                begins = line.item.side is Side.INITIATOR
                known = _host(line.seen.datagram.source) == self.right
                self.mirrored.setdefault(family, begins is known)

    def leftwards(self, line: Line) -> bool:
        """Whether it goes from right to left."""
        if line.item is None:
            return _host(line.seen.datagram.source) == self.right
        return (line.item.side is Side.RESPONDER) is not self.mirrored[line.item.sa.family]


def _host(end: str) -> str:
    return end.rpartition(":")[0].strip("[]")


def _datagram(line: Line, leftwards: bool, inner: int) -> list[Text]:
    message, number = line.seen.message, f"{line.seen.number}"
    title = "a datagram that can't be read"
    style = "note"
    notation = ""
    if message is not None:
        title = words.exchange(message) + (" · sent again" if line.again else "")
        style = "response" if message.is_response else "request"
        if line.seen.state in (State.CLEAR, State.OPENED) and not line.again:
            notation = words.notation(message, protected=line.seen.state is State.OPENED)
            about = words.about(message)
            title += f" · {about}" if about else ""
    rows = [_beside("", text, STYLES[style], leftwards, inner) for text in _wrapped(title, inner - 2)]
    rows += [_beside("", text, STYLES["payloads"], leftwards, inner) for text in _wrapped(notation, inner - 2)]
    stroke = "╌" if line.again else "─"
    shaft = "◀" + stroke * (inner - 1) if leftwards else stroke * (inner - 1) + "▶"
    rows.append(_row(number, shaft, STYLES[style]))
    if line.rows:
        text = ", ".join(f"{each.row.name} ({each.row.section})" for each in line.rows)
        rows += [_beside("", each, STYLES["ok"], leftwards, inner) for each in _wrapped(f"✓ {text}", inner - 2)]
    for extension in line.extensions:
        rows.append(_beside("", f"· {extension}: not judged in detail", STYLES["note"], leftwards, inner))
    for finding in line.findings:
        rows += [_beside("", *each, leftwards, inner) for each in _said(finding, inner - 2)]
    return rows


def _said(finding: Finding, width: int) -> list[tuple[str, str]]:
    mark, style = _MARKS[finding.weight]
    where = f" (Section {finding.section})" if finding.section else ""
    texts = _wrapped(f"{mark} {finding.text}{where}", width)
    if finding.requirements:
        texts += _wrapped(f"  {', '.join(finding.requirements)}", width)
    for detail in finding.details[:3]:
        texts += _wrapped(f"  {detail}", width)
    return [(text, STYLES[style]) for text in texts]


def _beside(number: str, text: str, style: str, leftwards: bool, inner: int) -> Text:
    """Beside the sender's lifeline, one column away from it."""
    room = inner - 2
    return _row(number, f" {text.rjust(room) if leftwards else text.ljust(room)} ", style)


def _row(number: str, middle: str, style: str) -> Text:
    return Text.assemble(
        (f"{number:>{LEFT - 1}} ", STYLES["line"]),
        ("│", STYLES["line"]),
        (middle, style),
        ("│", STYLES["line"]),
        no_wrap=True,
    )


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at spaces; what follows the first is set in. None for no text."""
    lines: list[str] = []
    line = ""
    for word in text.split(" ") if text else ():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = f"    {word}"
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line] if line else lines
