"""What a running endpoint tells: each event in plain words with its time, or as a line of JSON."""

import json
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from ikeref.cli import words
from ikeref.net.transport import Arrived, Event, Sent
from ikeref.policy import attributes, identities
from ikeref.registry import PayloadType
from ikeref.sa import (
    Audit,
    ChildSa,
    Closed,
    Configured,
    Established,
    Failed,
    Fetch,
    IkeSa,
    InitialContact,
    Install,
    Moved,
    NewKeys,
    Phase,
    Received,
    Remove,
    Replayed,
    Session,
    Transmit,
    Unconfigured,
)
from ikeref.wire import peek

Carried = dict[tuple[bool, bytes], tuple[int, int]]
"""Packets and octets, by whether they came in and by SPI; empty where nothing is carried."""


class Teller:
    """Prints events; an observer of a node."""

    def __init__(self, console: Console, *, as_json: bool = False, messages: bool = True) -> None:
        self._console = console
        self._json = as_json
        self._messages = messages
        self.failures = 0
        """Commands that came to nothing so far."""
        self.closed = ""
        """Why the latest IKE SA ended."""

    def __call__(self, event: Event, at: float) -> None:
        """Tell of an event of the node, at a time of day in seconds since 1970."""
        match event:
            case Failed():
                self.failures += 1
            case Closed(reason=reason):
                self.closed = reason
            case _:
                pass
        if self._json:
            values = _values(event)
            if values is not None and (self._messages or values["event"] not in ("sent", "received")):
                self._line({"time": round(at, 6), **values})
            return
        text = self._text(event)
        if text is not None:
            moment = datetime.fromtimestamp(at).strftime("%H:%M:%S.%f")[:-3]
            self._console.print(Text.assemble((moment, "bright_black"), "  ", text), soft_wrap=True)

    def say(self, text: str, kind: str = "note") -> None:
        """Something that is no event of the protocol."""
        if self._json:
            self._line({"event": kind, "text": text})
        else:
            self._console.print(text, soft_wrap=True, style="red" if kind == "error" else "")

    def _line(self, values: dict[str, Any]) -> None:
        self._console.file.write(json.dumps(values) + "\n")
        self._console.file.flush()

    def _text(self, event: Event) -> Text | None:
        match event:
            case Sent(transmit=Transmit(message=message, again=again, datagram=datagram)) if message is not None:
                if not self._messages:
                    return None
                protected = _is_protected(event.transmit)
                text = Text.assemble(("→ ", "cyan"), (words.exchange(message), "bold cyan"))
                text.append(f"  {words.notation(message, protected=protected)}")
                text.append(f"  {len(datagram)} octets{', sent again' if again else ''}", style="bright_black")
                return text
            case Received(message=message) if self._messages:
                protected = message.exchange_type != 34
                text = Text.assemble(("← ", "blue"), (words.exchange(message), "bold blue"))
                return text.append(f"  {words.notation(message, protected=protected)}")
            case Sent() | Received() | Arrived() | NewKeys():
                return None
            case Established() | Closed() | Install() | Remove() | Moved() | Configured() | Unconfigured():
                return Text(words.effect(event), style="green" if isinstance(event, Established) else "magenta")
            case Failed():
                return Text(words.effect(event), style="bold red")
            case Replayed() | InitialContact() | Fetch() | Audit() | Transmit():
                return Text(words.effect(event), style="bright_black")

    # Status

    def status(self, sessions: dict[int, Session], carried: Carried) -> None:
        """All IKE SAs and Child SAs, and what the latter have carried."""
        if self._json:
            self._line({"event": "status", "ike_sas": [_session(*each, carried) for each in sessions.items()]})
            return
        shown = False
        for number, session in sessions.items():
            for ike in session.ikes:
                if ike.phase is Phase.CLOSED:
                    continue
                shown = True
                self._console.print(Text(f"{number}: {_ike_text(session, ike)}", style="bold"), soft_wrap=True)
                if session.internal is not None and ike is session.current:
                    whose = "we have" if session.internal.ours else "the peer has"
                    self._console.print(Text(f"   {whose} {words.configuration(session.internal)}"), soft_wrap=True)
                for child in session.children if ike is session.current else ():
                    self._console.print(Text(f"   {_child_text(child, carried)}"), soft_wrap=True)
        if not shown:
            self._console.print("no IKE SA")


def _is_protected(transmit: Transmit) -> bool:
    datagram = transmit.datagram[4 if transmit.path.encapsulated else 0 :]
    return peek(datagram).next_payload in (PayloadType.SK, PayloadType.SKF)


def _ike_text(session: Session, ike: IkeSa) -> str:
    peer = identities.to_text(session.peer) if session.peer is not None else "a peer that is not authenticated"
    role = "initiator" if ike.initiator else "responder"
    address = f"{ike.path.remote[0]}:{ike.path.remote[1]}"
    suite = ike.suite
    chosen = words.transforms(suite.encr, suite.key_bits, suite.prf, suite.integ, suite.group) if suite else ""
    return f"IKE SA {ike.spi_i.hex()} {ike.spi_r.hex()} with {peer} at {address}, {role}, {ike.phase.name}; {chosen}"


def _child_text(child: ChildSa, carried: Carried) -> str:
    suite = child.suite
    chosen = words.transforms(suite.encr, suite.key_bits, 0, suite.integ, suite.group)
    mode = "transport" if child.transport else "tunnel"
    spis = f"in {child.spi_in.hex()} out {child.spi_out.hex()}"
    return (
        f"{child.name}: {spis}, {words.selectors(child)}, {mode}, {child.state.name}; {chosen}{_amount(child, carried)}"
    )


def _amount(child: ChildSa, carried: Carried) -> str:
    if not carried:
        return ""
    (came, in_octets), (went, out_octets) = _counts(child, carried)
    return f"; came {came} packets, {in_octets} octets; went {went}, {out_octets}"


def _counts(child: ChildSa, carried: Carried) -> tuple[tuple[int, int], tuple[int, int]]:
    return carried.get((True, child.spi_in), (0, 0)), carried.get((False, child.spi_out), (0, 0))


def _session(number: int, session: Session, carried: Carried) -> dict[str, Any]:
    return {
        "number": number,
        "connection": session.connection.name,
        "peer": identities.to_text(session.peer) if session.peer is not None else None,
        "ikes": [
            {"spi_i": ike.spi_i.hex(), "spi_r": ike.spi_r.hex(), "phase": ike.phase.name, "initiator": ike.initiator}
            for ike in session.ikes
        ],
        "children": [
            {
                "name": child.name,
                "spi_in": child.spi_in.hex(),
                "spi_out": child.spi_out.hex(),
                "carried": _counts(child, carried),
                "selectors": words.selectors(child),
                "state": child.state.name,
            }
            for child in session.children
        ],
    }


def _values(event: Event) -> dict[str, Any] | None:
    """An event for JSON; None for what is told otherwise, or must not be told."""
    match event:
        case Sent(transmit=Transmit(message=message)) if message is not None:
            protected = _is_protected(event.transmit)
            values = {"event": "sent", "message": words.exchange(message)}
            octets = {"octets": event.transmit.datagram.hex(), "again": event.transmit.again}
            return {**values, "notation": words.notation(message, protected=protected), **octets}
        case Received(message=message):
            notation = words.notation(message, protected=message.exchange_type != 34)
            return {"event": "received", "message": words.exchange(message), "notation": notation}
        case Established(spi_i=spi_i, spi_r=spi_r, peer=peer, succeeds=succeeds):
            values = {"event": "established", "spi_i": spi_i.hex(), "spi_r": spi_r.hex()}
            return {**values, "peer": identities.to_text(peer), "succeeds": succeeds.hex() or None}
        case Configured(internal=internal) | Unconfigured(internal=internal):
            kind = "configured" if isinstance(event, Configured) else "unconfigured"
            told = [attributes.to_text(each) for each in internal.attributes]
            return {"event": kind, "ours": internal.ours, "attributes": told}
        case Fetch(url=url):
            return {"event": "lookup", "url": url}
        case InitialContact(peer=peer):
            return {"event": "initial contact", "peer": identities.to_text(peer)}
        case Closed(spi_i=spi_i, spi_r=spi_r, reason=reason):
            return {"event": "closed", "spi_i": spi_i.hex(), "spi_r": spi_r.hex(), "reason": reason}
        case Install(inbound=inbound, child=child) | Remove(inbound=inbound, child=child):
            kind = "installed" if isinstance(event, Install) else "removed"
            values = {"event": kind, "direction": words.child_way(inbound), "spi": words.spi_of(inbound, child)}
            return {**values, "name": child.name, "selectors": words.selectors(child)}
        case Failed(what=what, reason=reason):
            return {"event": "failed", "what": what, "reason": reason}
        case Replayed(message=message):
            return {"event": "replayed", "message": words.exchange(message)}
        case Audit(reason=reason):
            return {"event": "audit", "reason": reason}
        case _:
            return None
