"""`ikeref tour`."""

import asyncio

import typer
from rich.console import Console

from ikeref.cli.tour.annotate import annotate
from ikeref.cli.tour.ladder import ladder
from ikeref.cli.tour.life import Options, live
from ikeref.cli.tour.story import tell
from ikeref.cli.tour.trace import Side
from ikeref.net.disturb import Profile


def tour(
    drop: float = typer.Option(0, min=0, max=90, metavar="N", help="Lose N percent of the datagrams."),
    duplicate: float = typer.Option(0, min=0, max=100, metavar="N", help="Deliver N percent of them twice."),
    reorder: bool = typer.Option(False, "--reorder", help="Let some datagrams overtake others."),
    seed: int = typer.Option(1, help="Which datagrams: the same seed disturbs the same way."),
) -> None:
    """Run the whole life of an IKE SA between two endpoints over loopback UDP, and judge it."""
    profile = Profile(seed, drop=drop / 100, duplicate=duplicate / 100, reorder=0.3 if reorder else 0.0)
    outcome = asyncio.run(live(Options(profile=profile)))
    console = Console(highlight=False)
    annotations = annotate(outcome.trace)
    names = {side: f"{side} {outcome.addresses[side][0]}:{outcome.addresses[side][1]}" for side in Side}
    console.print(ladder(tell(outcome, annotations), names, console))
