"""`ikeref tour`."""

import typer
from rich.console import Console

from ikeref.cli.tour.ladder import ladder
from ikeref.cli.tour.life import Options
from ikeref.cli.tour.report import closing, run
from ikeref.cli.tour.table import table
from ikeref.net.disturb import Profile


def tour(
    drop: float = typer.Option(0, min=0, max=90, metavar="N", help="Lose N percent of the datagrams."),
    duplicate: float = typer.Option(0, min=0, max=100, metavar="N", help="Deliver N percent of them twice."),
    reorder: bool = typer.Option(False, "--reorder", help="Let some datagrams overtake others."),
    seed: int = typer.Option(1, help="Which datagrams: the same seed disturbs the same way."),
) -> None:
    """Run the whole life of an IKE SA between two endpoints over loopback UDP, and judge it."""
    profile = Profile(seed, drop=drop / 100, duplicate=duplicate / 100, reorder=0.3 if reorder else 0.0)
    console = Console(highlight=False)
    report = run(Options(profile=profile))
    console.print(ladder(report.chapters, report.names, console))
    console.print(table(report.verdicts))
    console.print(closing(report))
    if not report.good:
        raise typer.Exit(1)
