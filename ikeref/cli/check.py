"""`ikeref check`."""

import json as json_
from pathlib import Path
from typing import Annotated, Any

import typer
from ikeref_properties.capture.check import Exit, Line, Report
from ikeref_properties.capture.check import check as judge
from ikeref_properties.capture.rules import Finding, Weight
from rich.console import Console
from rich.text import Text

from ikeref.cli import words
from ikeref.cli.check_ladder import STYLES, ladder
from ikeref.cli.complain import stop
from ikeref.net.packets import Unreadable


def check(
    capture: Annotated[Path, typer.Argument(metavar="CAPTURE", help="A capture in pcap or pcapng.")],
    keys: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Keys of the IKE SAs: JSON, or Wireshark's ikev2_decryption_table. May be given several times.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the ladder.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict and the findings only.")] = False,
) -> None:
    """Judge a capture of anybody's IKEv2 by the rows of the model.

    Both ends of every IKE SA are followed. What loss, duplication, reordering or a gap of the capture explains is no
    violation; the first message that nothing explains is one, and the closest rows are named.

    Exit code: 0 if all conforms (departures from a SHOULD are warnings), 1 if something violates the RFC, 2 if a file
    can't be read or the keys are wrong, 3 if nothing could be decided.
    """
    try:
        report = judge(capture, tuple(keys or ()))
    except Unreadable as error:
        stop(str(error))
    except OSError as error:
        stop(f"can't read {error.filename or capture}: {(error.strerror or str(error)).lower()}")
    if json:
        typer.echo(json_.dumps(as_json(report), indent=2))
    else:
        console = Console(highlight=False)
        if not quiet:
            console.print(ladder(report, console))
        for each in summary(report):
            console.print(each, soft_wrap=True)
    if report.exit is not Exit.CONFORMS:
        raise typer.Exit(int(report.exit))


def summary(report: Report) -> list[Text]:
    """The findings again, and the verdict in a sentence."""
    lines = [Text()]
    for finding in report.findings:
        if finding.weight is not Weight.NOTE:
            style = STYLES["bad" if finding.weight is Weight.VIOLATION else "warning"]
            lines.append(Text(f"packet {finding.number}: {finding.weight}: {explained(finding)}", style))
            lines += [Text(f"  {each}", style) for each in finding.details]
    for name, numbers in extensions(report).items():
        shown = ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
        lines.append(Text(f"not judged in detail: {name}, used in packet {shown}; no violation", STYLES["note"]))
    lines += [Text(f"the capture lacks {gap}", STYLES["warning"]) for gap in report.gaps]
    for sa in report.sas:
        if sa.keyless:
            lines.append(
                Text(f"IKE SA {sa.name}: {sa.keyless} messages not opened for want of keys", STYLES["warning"])
            )
        if sa.forged:
            lines.append(Text(f"IKE SA {sa.name}: the ICV of {sa.forged} messages is wrong", STYLES["warning"]))
    lines += [Text(f"undecided: {limit}", STYLES["warning"]) for limit in report.limits]
    if report.contents.cut:
        lines.append(Text(report.contents.cut, STYLES["warning"]))
    good = report.exit is Exit.CONFORMS
    return [*lines, Text(verdict(report), STYLES["ok" if good else "bad"])]


def verdict(report: Report) -> str:
    """`Conforms: 12 of 12 messages ...`."""
    count = f"{report.judged} of {len(report.lines)} datagrams judged"
    match report.exit:
        case Exit.CONFORMS:
            warnings = sum(each.weight is Weight.WARNING for each in report.findings)
            return f"Conforms{f', with {warnings} warnings' if warnings else ''}: {count}."
        case Exit.VIOLATION:
            first = next(each for each in report.findings if each.weight is Weight.VIOLATION)
            return f"Violation: packet {first.number} is the first that no state explains; {count}."
        case _:
            keyless = any(sa.keyless for sa in report.sas)
            nothing = "no keys of its IKE SAs are known (--keys)" if keyless else "nothing in it can be judged"
            why = "; ".join(report.limits) or nothing
            return f"Inconclusive: {why}; {count}."


def explained(finding: Finding) -> str:
    """The text with its section and requirements."""
    where = f" [Section {finding.section}; {', '.join(finding.requirements)}]" if finding.section else ""
    return f"{finding.text}{where}"


def extensions(report: Report) -> dict[str, list[int]]:
    """The packets by the extension that they use."""
    found: dict[str, list[int]] = {}
    for line in report.lines:
        for name in line.extensions:
            found.setdefault(name, []).append(line.seen.number)
    return found


def as_json(report: Report) -> dict[str, Any]:
    """All of it for a machine."""
    return {
        "verdict": report.exit.name.lower(),
        "exit": int(report.exit),
        "packets": report.contents.packets,
        "judged": report.judged,
        "ike_sas": [
            {"spi_i": sa.spi_i.hex(), "spi_r": sa.spi_r.hex(), "family": sa.family, "opened": sa.opened}
            | {"not_opened": sa.keyless, "wrong_icv": sa.forged}
            for sa in report.sas
        ],
        "datagrams": [_line(line) for line in report.lines],
        "gaps": list(report.gaps),
        "undecided": list(report.limits),
    }


def _line(line: Line) -> dict[str, Any]:
    datagram, message = line.seen.datagram, line.seen.message
    found: dict[str, Any] = {
        "packet": datagram.number,
        "time": datagram.time,
        "source": datagram.source,
        "destination": datagram.destination,
    }
    if message is not None:
        protected = line.seen.state.name != "CLEAR"
        found |= {
            "exchange": words.exchange(message),
            "spi_i": message.spi_i.hex(),
            "spi_r": message.spi_r.hex(),
            "message": words.notation(message, protected=protected),
            "about": words.about(message),
        }
    return found | {
        "judged": line.judged,
        "again": line.again,
        "rows": [{"name": each.row.name, "section": each.row.section, "level": each.row.level} for each in line.rows],
        "extensions": list(line.extensions),
        "findings": [
            {
                "weight": str(each.weight),
                "text": each.text,
                "section": each.section,
                "requirements": list(each.requirements),
                "rows": list(each.rows),
                "details": list(each.details),
            }
            for each in line.findings
        ],
    }
