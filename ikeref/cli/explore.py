"""`ikeref explore`: every state of two ends of the shipped code, within bounds."""

from os import sched_getaffinity
from pathlib import Path
from time import process_time
from typing import Annotated, Final

from ikeref_model.tables import ROWS
from ikeref_properties.explore import beginning, faults, paths, profiles
from ikeref_properties.explore.beginning import SCENES
from ikeref_properties.explore.catalogue import PATHS
from ikeref_properties.explore.search import Progress, Result, Search
from ikeref_properties.explore.values import KINDS, Bounds
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from typer import Exit, Option

from ikeref.cli import explore_show
from ikeref.cli.complain import stop, writable
from ikeref.wire import decode_payloads, encode_payloads, first_type

INCONCLUSIVE: Final = 3
"""Exit code where a limit was reached before every state was seen."""
_LINE: Final = 30.0
"""Seconds between lines where there is no terminal."""


def explore(
    commands: Annotated[int, Option(min=0, max=9, metavar="N", help="Commands at each end.")] = 1,
    loss: Annotated[int, Option(min=0, max=9, metavar="N", help="Datagrams lost.")] = 1,
    duplicate: Annotated[int, Option(min=0, max=9, metavar="N", help="Datagrams that arrive twice.")] = 1,
    children: Annotated[int, Option(min=1, max=5, metavar="N", help="Child SAs at the start.")] = 1,
    kinds: Annotated[
        list[str] | None, Option("--kind", metavar="KIND", help=f"Only these commands: {', '.join(KINDS)}.")
    ] = None,
    give_up: Annotated[
        bool, Option("--give-up", help="An end may give up a living peer, and forget a closed IKE SA early.")
    ] = False,
    early: Annotated[
        bool, Option("--early", help="Retries after TEMPORARY_FAILURE may come while datagrams are in flight.")
    ] = False,
    one_order: Annotated[bool, Option("--one-order", help="One order of nonces instead of every one.")] = False,
    seconds: Annotated[float, Option(min=0, metavar="S", help="Stop after S seconds; 0: never.")] = 0,
    processes: Annotated[int, Option(min=0, metavar="N", help="Processes; 0: one for each core.")] = 0,
    window: Annotated[int, Option(min=1, max=9, metavar="N", help="Requests that each end takes at once.")] = 1,
    groups: Annotated[bool, Option("--groups", help="Ends that prefer different key exchange groups.")] = False,
    steps: Annotated[int, Option(min=0, metavar="N", help="Steps from the start at most; 0: any number.")] = 0,
    profile: Annotated[str, Option(metavar="NAME", help="Bounds that have a name: see --profiles.")] = "",
    list_profiles: Annotated[bool, Option("--profiles", help="List the bounds that have a name.")] = False,
    begin: Annotated[
        str, Option("--from", metavar="WHERE", help="Begin with an IKE SA (established), or with nothing.")
    ] = "established",
    path: Annotated[str, Option(metavar="NAME", help="Find a named course of events instead: see --paths.")] = "",
    list_paths: Annotated[bool, Option("--paths", help="List the named courses of events.")] = False,
    pcap: Annotated[
        Path | None, Option(metavar="FILE", help="Write the schedule that is found as a capture, its keys beside it.")
    ] = None,
    rows: Annotated[bool, Option("--rows", help="List the rows taken, and why others can't be.")] = False,
    fault: Annotated[str, Option(metavar="NAME", help="Break the code first: see --faults.")] = "",
    list_faults: Annotated[bool, Option("--faults", help="List the faults that can be seeded.")] = False,
) -> None:
    """Visit every state that two ends of the shipped code can reach, and judge each.

    Two ends with an IKE SA and Child SAs, toy cryptography, real protocol code. Commands, deliveries in any order,
    losses, duplicates and timers are tried in every combination, up to the bounds. A finding is a shortest schedule.

    Exit code: 0 if nothing deviates in any state, 1 if something does, 2 if it could not run, 3 if time was too short.
    """
    console = Console(highlight=False)
    writable(pcap)
    if list_faults:
        console.print(_faults())
        return
    if list_paths:
        console.print(_paths())
        return
    if list_profiles:
        console.print(_profiles())
        return
    if path:
        _find(path, pcap, console)
        return
    if begin not in ("established", "nothing"):
        stop(f"--from {begin!r}? There are: established, nothing")
    if fault and fault not in faults.names():
        stop(f"there is no fault {fault!r}; there are: {', '.join(faults.names())}")
    if profile and profile not in profiles.names():
        stop(f"there is no profile {profile!r}; there are: {', '.join(profiles.names())}")
    if begin == "nothing":
        if profile:
            stop("a profile begins with an IKE SA: leave out --from")
        with faults.seeded(fault):
            _begin(loss, duplicate, seconds or float("inf"), console)
        return
    chosen = tuple(kinds or KINDS)
    if unknown := [kind for kind in chosen if kind not in KINDS]:
        stop(f"there is no command {unknown[0]!r}; there are: {', '.join(KINDS)}")
    bounds = Bounds(commands, loss, duplicate, children, give_up, early, chosen, window, groups, not one_order, steps)
    if profile:
        if bounds != Bounds(1):
            stop("--profile has bounds of its own: leave out the others")
        bounds = profiles.bounds(profile)
    search = Search(bounds, processes=processes or len(sched_getaffinity(0)))
    real = explore_show.real_search(bounds) if pcap is not None else None
    with faults.seeded(fault):
        result = _run(search, seconds or float("inf"), console)
        if result.counterexample is not None:
            explore_show.print_ladder(result.counterexample.steps, console)
            if pcap is not None and real is not None:
                console.print(explore_show.write_capture(pcap, real, result.counterexample.ordinals))
    if rows:
        console.print(explore_show.rows_table(result.seen.rows))
    console.print(_summary(result, _yardstick(search)))
    console.print(_verdict(result))
    if result.counterexample is not None:
        raise Exit(1)
    if not result.complete:
        raise Exit(INCONCLUSIVE)


def _run(search: Search, seconds: float, console: Console) -> Result:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[states]:,} states, {task.fields[frontier]:,} to go on from"),
        TextColumn("{task.fields[rate]:,.0f} steps/s"),
        TimeElapsedColumn(),
    )
    plain = not console.is_terminal
    with Bar(*columns, console=console, transient=True, auto_refresh=False, disable=plain) as bar:
        said = 0.0
        task = bar.add_task("", total=None, states=1, frontier=1, rate=0.0)

        def watch(progress: Progress) -> None:
            nonlocal said
            rate = progress.checked / progress.seconds if progress.seconds else 0.0
            if not plain:
                bar.update(task, states=progress.states, frontier=progress.frontier, rate=rate, refresh=True)
            elif progress.seconds - said >= _LINE:
                said = progress.seconds
                console.print(f"{said:,.0f} s: {progress.states:,} states, {progress.frontier:,} to go on from")

        return search.run(seconds=seconds, watch=watch)


def _begin(losses: int, duplicates: int, seconds: float, console: Console) -> None:
    """Explore every scene of the first exchanges and of a restart."""
    found: list[beginning.Found] = []
    for scene in SCENES:
        console.print(f"{scene.name}: {scene.what} (Section {scene.section})")
        found.append(
            beginning.explore(scene, losses, duplicates, seconds=seconds - sum(each.seconds for each in found))
        )
        if found[-1].deviation is not None or not found[-1].complete:
            break
    console.print(explore_show.scenes_table(found))
    last = found[-1]
    if last.deviation is not None:
        console.print(Text(f"✗ {last.deviation.rule}: {last.deviation.why}", style="bold red"))
        console.print(", ".join(f"{what} {which}".strip() for what, which in last.schedule))
        raise Exit(1)
    console.print(_conclusion(last.complete))
    if not last.complete:
        raise Exit(INCONCLUSIVE)


def _find(name: str, pcap: Path | None, console: Console) -> None:
    """Print the shortest schedule of a named course of events."""
    known = {each.name: each for each in PATHS}
    if name not in known:
        stop(f"there is no path {name!r}; see ikeref explore --paths")
    path = known[name]
    found = paths.find(path)
    console.print(Text(f"{path.what} (Section {path.section})", style="bold"))
    if found is None:
        console.print(Text("✗ the code never takes this course", style="bold red"))
        raise Exit(1)
    explore_show.print_ladder(found.steps, console)
    if pcap is not None:
        real = explore_show.real_search(path.bounds)
        console.print(explore_show.write_capture(pcap, real, found.ordinals, path.begins))


def _paths() -> Table:
    table = Table("path", "section", "course of events", box=None, pad_edge=False)
    for path in PATHS:
        table.add_row(path.name, path.section, path.what)
    return table


def _faults() -> Table:
    table = Table("fault", "what is broken", "section", box=None, pad_edge=False)
    for fault in faults.FAULTS:
        table.add_row(fault.name, fault.what, fault.section)
    return table


def _profiles() -> Table:
    table = Table("profile", "bounds", box=None, pad_edge=False)
    for each in profiles.PROFILES:
        table.add_row(each.name, each.what)
    return table


def _yardstick(search: Search) -> float:
    """Seconds that it takes to encode and decode one message, here and now."""
    times = 2000
    before = process_time()
    for _ in range(times):
        decode_payloads(first_type(search.sample.payloads), encode_payloads(search.sample.payloads))
    return (process_time() - before) / times


def _summary(result: Result, yardstick: float) -> Table:
    bounds = result.bounds
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    orders = "every order of nonces" if bounds.every_nonce else "one order of nonces"
    table.add_row(
        "bounds",
        f"{bounds.children} Child SA{'s' if bounds.children > 1 else ''}, commands an end: {bounds.commands}, "
        f"lost: {bounds.losses}, duplicated: {bounds.duplicates}, {orders}",
    )
    table.add_row("commands", ", ".join(bounds.kinds))
    others = [f"a window of {bounds.window}"] * (bounds.window > 1) + ["ends of different groups"] * bounds.groups
    others += [f"at most {bounds.steps} steps from the start"] * (bounds.steps > 0)
    if others:
        table.add_row("besides", ", ".join(others))
    twins = f" ({result.apart:,} with the ends told apart)" if result.apart > result.states else ""
    table.add_row("states", f"{result.states:,} different{twins}, {result.resting:,} of them at rest")
    seen = result.seen
    table.add_row(
        "steps", f"{seen.checked:,} judged, {result.rate:,.0f} a second and core; {seen.made:,} made by the code"
    )
    if seen.checked:
        ratio = seen.cpu / seen.checked / yardstick
        table.add_row("a step", f"as long as {ratio:.1f} times encoding and decoding the payloads of IKE_AUTH")
    table.add_row("time", f"{result.seconds:,.0f} s, {result.processes} process{'es' * (result.processes > 1)}")
    named = {name for name, _ in seen.rows}
    table.add_row("rows", f"{len(named)} of {len(ROWS)} taken, {seen.questions:,} different questions asked of them")
    table.add_row("longest", f"{result.depth} steps from the start")
    taken = ", ".join(f"{what} {count:,}" for what, count in sorted(result.taken.items()))
    table.add_row("taken", taken)
    return table


def _verdict(result: Result) -> Text:
    if result.counterexample is not None:
        deviation = result.counterexample.deviation
        return Text(f"✗ {deviation.rule}: {deviation.why}", style="bold red")
    return _conclusion(result.complete)


def _conclusion(complete: bool) -> Text:
    if not complete:
        return Text(
            "? no deviation so far, but not every state was seen: time was up, or it was stopped", style="yellow"
        )
    return Text("✓ every state within the bounds was seen, and nothing deviates", style="green")
