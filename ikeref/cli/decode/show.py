"""Explained datagrams as annotated octets on a terminal, and as JSON."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ikeref.cli import words
from ikeref.cli.decode.explain import Explained
from ikeref.registry import ExchangeType, name
from ikeref.wire import Defect, Field, encode_payloads, first_type, payload_fields, payload_name

PER_LINE = 8
"""Octets in a line."""
SHORT_LINES = 4
"""Lines of a long field that are shown unless all are wanted."""


def title(explained: Explained) -> str:
    """`IKE_AUTH request 1`, or what the octets seem to be."""
    if explained.message is not None:
        return words.exchange(explained.message)
    exchange = next((each.text for each in explained.fields if each.path == "Header.Exchange Type"), "")
    return f"not a sound IKEv2 message{f', exchange type {exchange}' if exchange else ''}"


def notation(explained: Explained) -> str:
    """Payloads as the RFC writes them; empty where decoding fails."""
    message = explained.inside or explained.message
    if message is None:
        return ""
    if explained.inside is not None:
        return words.notation(message, protected=True)
    last = payload_name(message.payloads[-1]) if message.payloads else ""
    if last in ("SK", "SKF"):
        names = [words.notation(message._replace(payloads=message.payloads[:-1]), protected=False), f"{last} {{...}}"]
        return ", ".join(names)
    return words.notation(message, protected=False)


def heading(explained: Explained) -> Text:
    """Title, origin, notation and size."""
    text = Text()
    if explained.given.where:
        text.append(f"{explained.given.where}\n", style="bright_black")
    text.append(title(explained), style="bold")
    text.append(f"  {len(explained.octets)} octets", style="bright_black")
    if explained.octets != explained.given.octets:
        text.append(" behind a non-ESP marker", style="bright_black")
    if (payloads := notation(explained)) != "":
        text.append(f"\n{payloads}")
    if explained.closed:
        text.append(f"\nSK stays closed: {explained.closed}", style="yellow")
    return text


def defect_line(defect: Defect) -> Text:
    """`octet 40, SA.proposal[1].Proposal Length, Section 3.3.1: reason`."""
    section = defect.section if defect.section.startswith("RFC") else f"Section {defect.section}"
    text = Text.assemble(("✗ ", "bold red"), (f"octet {defect.offset}", "bold"), f", {defect.field}, {section}: ")
    text.append(defect.reason, style="red")
    if defect.requirement:
        text.append(f" ({defect.requirement})", style="bright_black")
    return text


def brief(explained: Explained) -> RenderableType:
    """Heading and defects."""
    return Group(heading(explained), *(defect_line(each) for each in explained.defects), Text())


def full(explained: Explained, *, everything: bool) -> RenderableType:
    """Heading, every octet with its field, defects. Long fields are cut unless `everything` is wanted."""
    shift = len(explained.given.octets) - len(explained.octets)
    blamed = {defect.offset - shift for defect in explained.defects}
    parts: list[RenderableType] = [heading(explained), Text()]
    parts.append(_table(explained.fields, explained.clear, blamed, everything, shift))
    if explained.joined is not None:
        octets = encode_payloads(explained.joined.payloads)
        parts += [Text(), Text(f"All fragments together: {words.notation(explained.joined, protected=True)}", "bold")]
        parts.append(
            _table(payload_fields(first_type(explained.joined.payloads), octets), octets, set(), everything, 0)
        )
    parts += [Text(), *(defect_line(each) for each in explained.defects)]
    if not explained.defects:
        parts.append(Text("✓ no defect", style="green"))
    return Group(*parts, Text())


def _table(fields: tuple[Field, ...], octets: bytes, blamed: set[int], everything: bool, shift: int) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    grid.add_column(justify="right", style="bright_black", width=5)
    grid.add_column(width=3 * PER_LINE - 1, no_wrap=True)
    grid.add_column(overflow="fold")
    parents: tuple[str, ...] = ()
    for field, heads in _with_heads(fields):
        if heads is not None:
            parents = ()
            grid.add_row("", "", Text.assemble((heads[0], "bold cyan"), (f"  {heads[1]}", "bright_black")))
        first, *rest = field.path.split(".")
        *above, label = rest or [first]
        for depth, part in enumerate(above):
            if tuple(above[: depth + 1]) != parents[: depth + 1]:
                grid.add_row("", "", Text("  " * (depth + 1) + part, style="cyan"))
        parents = tuple(above)
        wrong = field.start in blamed
        value = _value(field, octets)
        description = Text("  " * (len(above) + 1))
        description.append(("✗ " if wrong else "") + label, style="bold red" if wrong else "")
        if value:
            description.append(f"  {value}", style="red" if wrong else "green")
        for index, line in enumerate(_lines(octets[field.start : field.end], everything)):
            at = str(shift + field.start + index * PER_LINE)
            grid.add_row(at, Text(line, style="red" if wrong else ""), description if index == 0 else "")
    return grid


def _with_heads(fields: tuple[Field, ...]) -> Iterator[tuple[Field, tuple[str, str] | None]]:
    """Each field, and before the first of a payload its name and section."""
    for index, field in enumerate(fields):
        name, _, label = field.path.partition(".")
        before = fields[index - 1].path.partition(".")[0] if index else ""
        if not label or (name == before and (label != "Next Payload" or name == "Header")):
            yield field, None
            continue
        own = next((each.section for each in fields[index:] if each.section != "3.2"), field.section)
        if own[0].isdigit():
            own = "Section " + ".".join(own.split(".")[:2])
        yield field, (name, own)


def _value(field: Field, octets: bytes) -> str:
    """The field's value, unless it says no more than its octets do."""
    return "" if field.text == octets[field.start : field.end].hex() else field.text


def _lines(octets: bytes, everything: bool) -> Iterator[str]:
    lines = [octets[at : at + PER_LINE].hex(" ") for at in range(0, len(octets), PER_LINE)] or [""]
    if everything or len(lines) <= SHORT_LINES + 1:
        yield from lines
        return
    yield from lines[:SHORT_LINES]
    yield f"... {len(octets) - SHORT_LINES * PER_LINE} more octets"


def values(explained: Explained) -> dict[str, Any]:
    """The same for JSON. Offsets count as in the datagram that was given."""
    message = explained.message
    shift = len(explained.given.octets) - len(explained.octets)
    found: dict[str, Any] = {
        "where": explained.given.where,
        "port": explained.given.port,
        "octets": explained.given.octets.hex(),
        "title": title(explained),
        "notation": notation(explained),
        "defects": [defect._asdict() for defect in explained.defects],
        "closed": explained.closed,
        "fields": [
            {"start": each.start + shift, "end": each.end + shift, "path": each.path, "value": each.text}
            | {"section": each.section}
            for each in explained.fields
        ],
    }
    if message is not None:
        found |= {
            "spi_i": message.spi_i.hex(),
            "spi_r": message.spi_r.hex(),
            "exchange_type": name(ExchangeType, message.exchange_type),
            "message_id": message.message_id,
            "response": message.is_response,
            "initiator": message.is_initiator,
            "payloads": [payload_name(each) for each in message.payloads],
        }
    if explained.inside is not None:
        found["inside"] = [payload_name(each) for each in explained.inside.payloads]
    if explained.joined is not None:
        found["joined"] = [payload_name(each) for each in explained.joined.payloads]
    return found
