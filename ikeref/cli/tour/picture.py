"""The terminal's output as a picture in SVG that loads nothing."""

import re
from io import StringIO
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from ikeref.cli.tour.ladder import ladder
from ikeref.cli.tour.report import Report, closing
from ikeref.cli.tour.story import Chapter
from ikeref.cli.tour.table import table

COLUMNS: Final = 80

THEME: Final = TerminalTheme(
    (22, 27, 34),
    (222, 228, 237),
    [
        (72, 79, 88),
        (255, 123, 114),
        (86, 211, 100),
        (227, 179, 65),
        (121, 184, 255),
        (210, 168, 255),
        (86, 212, 221),
        (201, 209, 217),
    ],
    [
        (125, 134, 144),
        (255, 161, 152),
        (126, 231, 135),
        (242, 204, 96),
        (165, 214, 255),
        (226, 197, 255),
        (123, 226, 233),
        (255, 255, 255),
    ],
)


def svg(report: Report, chapters: tuple[Chapter, ...]) -> str:
    """The ladder of these chapters and all verdicts."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False, force_terminal=True)
    console.print(ladder(chapters, report.names, console))
    console.print(table(report.verdicts))
    console.print(closing(report))
    text = console.export_svg(title="ikeref tour", theme=THEME, unique_id="tour")
    return re.sub(r"@font-face\s*{[^}]*}", "", text)
