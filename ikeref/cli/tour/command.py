"""`ikeref tour`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer import Option

from ikeref.cli.complain import stop, writable, writing
from ikeref.cli.tour.export import Files, as_json
from ikeref.cli.tour.ladder import ladder
from ikeref.cli.tour.life import STAGES, Options
from ikeref.cli.tour.page import page
from ikeref.cli.tour.picture import svg as draw
from ikeref.cli.tour.proved import Recheck
from ikeref.cli.tour.report import Report, closing, run
from ikeref.cli.tour.table import table
from ikeref.net.disturb import Profile

REORDERED = 0.3
"""Share of the datagrams that `--reorder` holds back."""


def tour(
    html: Annotated[
        Path | None, Option(metavar="FILE", help="Write a page to click through: every message, field by field.")
    ] = None,
    pcap: Annotated[
        Path | None, Option(metavar="FILE", help="Write the capture (pcapng); FILE.keys opens it in Wireshark.")
    ] = None,
    json: Annotated[Path | None, Option(metavar="FILE", help="Write the trace.")] = None,
    svg: Annotated[Path | None, Option(metavar="FILE", help="Write what is printed, as a picture.")] = None,
    drop: Annotated[float, Option(min=0, max=90, metavar="N", help="Lose N percent of the datagrams.")] = 0,
    duplicate: Annotated[float, Option(min=0, max=100, metavar="N", help="Deliver N percent of them twice.")] = 0,
    reorder: Annotated[bool, Option("--reorder", help="Let some datagrams overtake others.")] = False,
    seed: Annotated[int, Option(min=0, metavar="N", help="Which ones: the same seed disturbs the same way.")] = 1,
    nat: Annotated[bool, Option("--nat", help="Pretend a NAT: IKE moves to the second port, as on 4500.")] = False,
    stage: Annotated[
        list[int] | None, Option(min=1, max=len(STAGES), metavar="N", help="Show this stage alone; may be repeated.")
    ] = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print the verdicts only.")] = False,
    break_: Annotated[
        str | None,
        Option("--break", metavar="RULE", help="Break a rule (the name of a row, or one of `list`): show what falls."),
    ] = None,
) -> None:
    """Run the whole life of an IKE SA and judge it.

    Two endpoints talk over loopback UDP: IKE_SA_INIT, IKE_AUTH, a second Child SA, a Child SA rekey, an IKE SA rekey,
    liveness, deletes. Each message is shown with its payloads, each step with the rows of the model that allow it.

    With --break no UDP is needed: the model is searched for the shortest run in which something falls, and two real
    endpoints with the same fault run it.

    Exit code: 0 if nothing is violated, 1 if something is (as it should be with --break), 2 if the tour could not run.
    """
    writable(html, pcap, json, svg)
    if break_ is not None:
        if drop or duplicate or reorder or nat or stage or pcap is not None:
            stop("--break has a schedule of its own: leave --drop, --duplicate, --reorder, --nat, --stage, --pcap out")
        _broken(break_, {html: page, json: as_json})
        return
    profile = Profile(seed, drop=drop / 100, duplicate=duplicate / 100, reorder=REORDERED if reorder else 0.0)
    console = Console(highlight=False)
    files = None
    if pcap is not None:
        with writing(pcap):
            files = Files(pcap)
    rechecked = Recheck()
    try:
        report = run(Options(profile=profile, encapsulate=nat), observers=[files] if files is not None else [])
    except OSError as error:
        stop(f"the tour needs UDP on 127.0.0.1, and it can't be had: {error.strerror or error}")
    chapters = tuple(each for each in report.chapters if not stage or each.number in stage)
    if not quiet:
        console.print(ladder(chapters, report.names, console))
    report = report.with_proofs(rechecked.result())
    console.print(table(report.verdicts))
    console.print(closing(report))
    if files is not None:
        files.close()
        console.print(f"\nThe capture is in {pcap}, its keys are in {files.folder}. To read it:", soft_wrap=True)
        console.print(f"  {files.command()}", soft_wrap=True)
    drawn = partial(draw, chapters=chapters)
    for target, text in ((html, page), (json, as_json), (svg, drawn)):
        if target is not None:
            with writing(target):
                target.write_text(text(report), encoding="utf-8")
            console.print(f"Written: {target}", soft_wrap=True)
    if not report.good:
        raise typer.Exit(1)


def _broken(rule: str, targets: dict[Path | None, Callable[[Report], str]]) -> None:
    """The tour with a rule broken."""
    from ikeref.cli.tour.breaking.command import FALLEN, broken

    console = Console(highlight=False)
    report = broken(rule, console)
    for target, text in targets.items():
        if target is None:
            continue
        if report is None:
            stop(f"no run of the code shows this, so there is nothing to write to {target}")
        with writing(target):
            target.write_text(text(report), encoding="utf-8")
        console.print(f"Written: {target}", soft_wrap=True)
    raise typer.Exit(FALLEN)
