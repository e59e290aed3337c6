"""The story as a ladder diagram on a terminal, from 80 columns up."""

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from ikeref.cli.tour.story import Arrow, Chapter, Item, Note, Verdict
from ikeref.cli.tour.trace import Side

WIDEST = 110
NARROWEST = 60
LEFT = 4
"""Columns in front of Alice's lifeline: the number of a datagram stands there."""

STYLES = {
    "command": "bold",
    "timer": "yellow",
    "arrival": "dim",
    "sa": "magenta",
    "audit": "dim italic",
    "failed": "bold red",
    "request": "bold cyan",
    "response": "bold blue",
    "payloads": "",
    "lost": "bold red",
    "ok": "green",
    "bad": "bold red",
    "line": "bright_black",
}
MARKS = {"command": "▸ ", "timer": "◷ ", "arrival": "", "sa": "", "audit": "", "failed": "✗ "}


def ladder(
    chapters: tuple[Chapter, ...], names: dict[Side, str], console: Console, *, headings: bool = True
) -> RenderableType:
    """All chapters; `names` stand at the heads of the lifelines."""
    width = max(NARROWEST, min(console.width, WIDEST))
    parts: list[RenderableType] = []
    for chapter in chapters:
        stage = chapter.stage
        title = Text.assemble(
            (f"{chapter.number} {stage.title}", "bold"),
            (f"  {stage.summary}", ""),
            (f"  Section {stage.section}", "bright_black"),
        )
        parts += [Text(), Rule(title, align="left", style="bright_black")] if headings else [Text()]
        parts += _heads(names, width)
        drawing = _Drawing(width)
        for item in chapter.items:
            parts += drawing.draw(item)
    return Group(*parts)


def _heads(names: dict[Side, str], width: int) -> list[Text]:
    left, right = names[Side.ALICE], names[Side.BOB]
    gap = max(1, width - len(left) - len(right) - 2)
    return [Text.assemble((f" {left}", "bold"), " " * gap, (right, "bold"))]


class _Drawing:
    """Draws items between two lifelines; a blank line sets moments apart."""

    def __init__(self, width: int) -> None:
        self.inner = width - LEFT - 6
        """Columns between the lifelines."""

    def draw(self, item: Item) -> list[Text]:
        match item:
            case Note():
                return [
                    self._beside(item.side, line, STYLES[item.kind])
                    for line in _wrapped(MARKS[item.kind] + item.text, self.inner - 2)
                ]
            case Verdict():
                return self._verdict(item)
            case Arrow():
                return self._arrow(item)

    def _verdict(self, item: Verdict) -> list[Text]:
        annotation = item.annotation
        if annotation.accepted:
            rows = ", ".join(f"{row.name} ({row.section})" for row in annotation.rows)
            lines = _wrapped(f"✓ {rows}", self.inner - 2)
            return [self._beside(item.side, line, STYLES["ok"]) for line in lines]
        if not annotation.judged:
            return [self._beside(item.side, f"· {annotation.reason}", STYLES["arrival"])]
        lines = _wrapped(f"✗ {annotation.reason}", self.inner - 2)
        for detail in annotation.details[:3]:
            lines += _wrapped(f"  {detail}", self.inner - 2)
        return [self._beside(item.side, line, STYLES["bad"]) for line in lines]

    def _arrow(self, item: Arrow) -> list[Text]:
        message = item.flight.message
        style = STYLES["response" if message is not None and message.is_response else "request"]
        title = item.title + (" · sent again" if item.flight.transmit.again else "")
        lines = [
            self._line("", self._aligned(item.sender, text), style, "") for text in _wrapped(title, self.inner - 2)
        ]
        if not item.flight.transmit.again:
            lines += [
                self._line("", self._aligned(item.sender, text), STYLES["payloads"], "")
                for text in _wrapped(item.notation, self.inner - 2)
            ]
        lines.append(self._shaft(item, style))
        return lines

    def _shaft(self, item: Arrow, style: str) -> Text:
        """The arrow itself: it ends early where the datagram is lost."""
        stroke = "╌" if item.flight.transmit.again else "─"
        fate = item.fate
        label = f" {fate} " if fate else ""
        if item.flight.fate.dropped:
            reach = self.inner * 2 // 3
            shaft = stroke * (reach - len(label) - 1)
            whole = f"{shaft}✗{label}" if item.sender is Side.ALICE else f"{label}✗{shaft}"
            return self._line(f"{item.number}", self._flush(item.sender, whole), STYLES["lost"], "arrow")
        shaft = stroke * (self.inner - len(label) - 3)
        whole = f"{stroke * 2}{label}{shaft}▶" if item.sender is Side.ALICE else f"◀{shaft}{label}{stroke * 2}"
        return self._line(f"{item.number}", whole, style, "arrow")

    def _aligned(self, side: Side, text: str) -> str:
        """Beside the sender's lifeline, one column away from it."""
        room = self.inner - 2
        return f" {text.ljust(room)} " if side is Side.ALICE else f" {text.rjust(room)} "

    def _flush(self, side: Side, text: str) -> str:
        return text.ljust(self.inner) if side is Side.ALICE else text.rjust(self.inner)

    def _beside(self, side: Side, text: str, style: str) -> Text:
        return self._line("", self._aligned(side, text), style, "")

    def _line(self, number: str, middle: str, style: str, kind: str) -> Text:
        head = f"{number:>{LEFT - 1}} " if kind == "arrow" else " " * LEFT
        return Text.assemble(
            (head, "bright_black"), ("│", STYLES["line"]), (middle, style), ("│", STYLES["line"]), no_wrap=True
        )


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at spaces; what follows the first is set in."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
