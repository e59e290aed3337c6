"""What must hold: at every step of an end, in every state of both, and at rest (Sections 1.4.1, 2.1 to 2.3, 2.8).

Steps are judged by their outputs as against what was shown before; a session's listing has to agree with them.
"""

from ikeref import sa
from ikeref.sa import ChildState, Phase, Session
from ikeref.sa.values import ChildRequest, IkeRequest
from ikeref.wire import Message, N, Nonce
from ikeref_properties.explore.skeleton import EndSkeleton, Origin
from ikeref_properties.explore.values import NAMES, Deviation, End, State


def step(before: Session, outputs: tuple[sa.Output, ...], after: Session | None) -> Deviation | None:
    """What a step of one end breaks by itself."""
    return _messages(before, outputs, after) or _comparison(before, outputs, after) or _closed(before, after)


def _closed(before: Session, after: Session | None) -> Deviation | None:
    """What is closed stays closed (Section 1.4.1)."""
    for ike in before.ikes:
        if ike.phase is Phase.CLOSED and after is not None:
            for now in after.ikes:
                if now.spi == ike.spi and now.phase is not Phase.CLOSED:
                    return Deviation("what is deleted is gone (Section 1.4.1)", f"an IKE SA is {now.phase.name} again")
    return None


def _messages(before: Session, outputs: tuple[sa.Output, ...], after: Session | None) -> Deviation | None:
    received = [output.message for output in outputs if type(output) is sa.Received]
    replayed = [output.message for output in outputs if type(output) is sa.Replayed]
    next_of = {(ike.spi_i, ike.spi_r): ike.next_request for ike in before.ikes}
    unanswered = {(ike.spi_i, ike.spi_r): {*ike.waiting} for ike in before.ikes}
    windows = {(ike.spi_i, ike.spi_r): ike.peer_window for ike in (after or before).ikes}
    for response in received:
        key = (response.spi_i, response.spi_r)
        if response.is_response:
            if response.message_id not in unanswered.get(key, ()):
                return Deviation("responses (Section 2.1)", f"response {response.message_id} answers nothing")
            unanswered[key].discard(response.message_id)
    answered = 0
    for output in outputs:
        if type(output) is not sa.Transmit or output.message is None:
            continue
        message = output.message
        key, number = (message.spi_i, message.spi_r), message.message_id
        if output.again:
            if not _is_old(before, output):
                return Deviation("retransmission (Section 2.1)", f"message {number} went out again with other octets")
            answered += bool(message.is_response)
        elif message.is_response:
            if not any(m.message_id == number and (m.spi_i, m.spi_r) == key for m in received):
                return Deviation("responses (Section 2.1)", f"response {number} answers no request")
            answered += 1
        else:
            if number != next_of.get(key, 0):
                return Deviation("message IDs (Section 2.2)", f"request {number} follows {next_of.get(key, 0) - 1}")
            others = unanswered.setdefault(key, set())
            if others and number >= min(others) + windows.get(key, 1):
                return Deviation("window (Section 2.3)", f"request {number} while {min(others)} is unanswered")
            next_of[key] = number + 1
            others.add(number)
    asked = sum(not each.is_response for each in received) + len(replayed)
    if answered != asked:
        return Deviation("responses (Section 2.1)", f"{asked} requests came, {answered} responses went")
    if after is not None:
        for ike in after.ikes:
            if ike.next_request < next_of.get((ike.spi_i, ike.spi_r), 0):
                return Deviation("message IDs (Section 2.2)", "the next message ID went back")
    return None


def _is_old(before: Session, output: sa.Transmit) -> bool:
    for ike in before.ikes:
        if any(output.datagram in exchange.datagrams for exchange in ike.outstanding):
            return True
        if any(output.datagram in answer.datagrams for answer in ike.answers):
            return True
    return False


def _comparison(before: Session, outputs: tuple[sa.Output, ...], after: Session | None) -> Deviation | None:
    """Of two rekeys that crossed, the one with the lowest of the four nonces is redundant (Sections 2.8.1, 2.8.2)."""
    if after is None:
        return None
    for ike in before.ikes:
        answer = _response(outputs, (ike.spi_i, ike.spi_r))
        if answer is None or any(type(payload) is N and payload.type < 16384 for payload in answer.payloads):
            continue
        intent = next((e.intent for e in ike.outstanding if e.message_id == answer.message_id), None)
        if not isinstance(intent, ChildRequest | IkeRequest) or intent.crossing is None:
            continue
        theirs = min(intent.crossing.nonces)
        mine = min(intent.nonce, _nonce(answer))
        if mine == theirs:
            continue
        if isinstance(intent, IkeRequest):
            redundant = next((made.redundant for made in after.ikes if made.spi == intent.spi), None)
        else:
            redundant = next((made.redundant for made in after.children if made.spi_in == intent.spi_in), None)
        if redundant is not None and redundant is not (mine < theirs):
            which = "lowest" if mine < theirs else "not lowest"
            return Deviation(
                "the lowest nonce loses (2.8.1, 2.8.2)", f"its own nonces are {which}, and it {redundant=}"
            )
    return None


def _response(outputs: tuple[sa.Output, ...], key: tuple[bytes, bytes]) -> Message | None:
    for output in outputs:
        if type(output) is sa.Received and output.message.is_response:
            message = output.message
            if (message.spi_i, message.spi_r) == key:
                return message
    return None


def _nonce(message: Message) -> bytes:
    return next((payload.data for payload in message.payloads if type(payload) is Nonce), b"\xff")


def plane(
    outputs: tuple[sa.Output, ...],
    session: Session | None,
    installed: dict[tuple[bool, bytes], bytes],
    roots: dict[bytes, bytes],
) -> Deviation | None:
    """Take the outputs into the data plane, in place, and compare it with the session's listing."""
    for output in outputs:
        match output:
            case sa.Install(inbound, child):
                key = (inbound, child.spi_in if inbound else child.spi_out)
                if key in installed:
                    return Deviation("directions (Section 1.4.1)", f"{_half(key)} is installed twice")
                if inbound and child.spi_in in roots:
                    return Deviation("SPIs (Section 1.4.1)", f"SPI {child.spi_in.hex()} is given out again")
                if child.keys is None:
                    return Deviation("keys (Section 2.17)", f"{_half(key)} is installed without keys")
                from_initiator = child.initiator is not inbound
                installed[key] = child.keys.encr_i if from_initiator else child.keys.encr_r
                if inbound:
                    if child.replaces and child.replaces not in roots:
                        return Deviation("rekeying (Section 1.3.3)", f"{_half(key)} replaces what was never there")
                    roots[child.spi_in] = roots.get(child.replaces) or b"".join(
                        (child.spi_in, child.spi_out) if child.initiator else (child.spi_out, child.spi_in)
                    )
            case sa.Remove(inbound, child):
                key = (inbound, child.spi_in if inbound else child.spi_out)
                if installed.pop(key, None) is None:
                    return Deviation("directions (Section 1.4.1)", f"{_half(key)} is removed and was not there")
            case _:
                pass
    listed = set()
    if session is not None:
        if session.children and session.peer is None:
            return Deviation("authentication (Section 1.2)", "a Child SA without an authenticated peer")
        for child in session.children:
            if child.inbound:
                listed.add((True, child.spi_in))
            if child.outbound:
                listed.add((False, child.spi_out))
    if listed != installed.keys():
        odd = sorted(listed ^ installed.keys())
        return Deviation("directions (Section 1.4.1)", f"listing and outputs differ: {', '.join(map(_half, odd))}")
    return None


def _half(key: tuple[bool, bytes]) -> str:
    return f"{'inbound' if key[0] else 'outbound'} SA {key[1].hex()}"


def both(state: State) -> Deviation | None:
    """In every state: what one end sends on an SA in use, the other can read; each end can send (Section 2.8)."""
    first, second = state.ends
    if first.closing or second.closing:
        return None
    doomed = first.doomed | second.doomed
    for who, (end, peer) in enumerate(((first, second), (second, first))):
        if end.session is None or peer.session is None:
            continue
        usable: dict[bytes, bool] = {}
        for child, root in zip(end.session.children, end.skeleton.children):
            if root in doomed or root not in peer.skeleton.children:
                continue
            works = child.outbound and (True, child.spi_out) in peer.plane
            usable[root] = usable.get(root, False) or works
        for root, works in usable.items():
            if not works:
                return Deviation("traffic goes on (Section 2.8)", f"{NAMES[who]} can't send on Child SA {root.hex()}")
    return None


def orphan(state: State) -> Deviation | None:
    """Nothing is in flight or outstanding, and an IKE SA waits for a Delete that nobody will send (Section 2.8.2)."""
    if state.flights:
        return None
    for end in state.ends:
        for ike in end.skeleton.ikes:
            if ike.outstanding or ike.waits or (end.session is not None and end.session.retries):
                return None
    for who, end in enumerate(state.ends):
        for ike in end.skeleton.ikes:
            if ike.expires and ike.phase is not Phase.CLOSED:
                return Deviation("no orphans (Section 2.8.2)", f"{NAMES[who]} waits in vain for a Delete")
    return None


def resting(state: State) -> bool:
    """Nothing is in flight, outstanding, waiting or due."""
    return not state.flights and all(_idle(end.skeleton, end.session) for end in state.ends)


def _idle(skeleton: EndSkeleton, session: Session | None) -> bool:
    if session is None:
        return True
    return not session.retries and not any(
        ike.outstanding or ike.waits or (ike.expires and ike.phase is not Phase.CLOSED) for ike in skeleton.ikes
    )


def at_rest(state: State) -> Deviation | None:
    """Both ends have the same SAs, and what was not deleted is there once."""
    first, second = state.ends
    names = [
        {(ike.spi_i, ike.spi_r): ike for ike in end.session.ikes if ike.phase is not Phase.CLOSED}
        if end.session is not None
        else {}
        for end in state.ends
    ]
    for who, ikes in enumerate(names):
        for ike in ikes.values():
            if ike.phase is not Phase.ESTABLISHED:
                return Deviation("IKE SAs agree (Section 2.8.2)", f"{NAMES[who]} keeps one that is {ike.phase.name}")
        if len(ikes) > 1:
            return Deviation("one successor (Section 2.8.2)", f"{NAMES[who]} has {len(ikes)} IKE SAs")
    if names[0].keys() != names[1].keys():
        return Deviation("IKE SAs agree (Section 2.8.2)", f"{len(names[0])} at A, {len(names[1])} at B, not the same")
    for key, ike in names[0].items():
        if ike.keys != names[1][key].keys or ike.initiator is names[1][key].initiator:
            return Deviation("IKE SAs agree (Section 2.14)", "other keys, or the same role, at both ends")
    closing = first.closing or second.closing
    if not names[0]:
        return None if closing else Deviation("none is lost (Section 2.8)", "the IKE SA is gone")
    for inbound in (True, False):
        receives = {spi: key for (way, spi), key in first.plane.items() if way is inbound}
        sends = {spi: key for (way, spi), key in second.plane.items() if way is not inbound}
        if receives != sends:
            return Deviation("paired Child SAs (Section 1.4.1)", f"{_spis(receives)} at A, {_spis(sends)} at B")
    pairs = [_pairs(end) for end in state.ends]
    if pairs[0] != {(spi_out, spi_in) for spi_in, spi_out in pairs[1]}:
        return Deviation("paired Child SAs (Section 1.4.1)", f"{len(pairs[0])} at A, {len(pairs[1])} at B")
    for who, end in enumerate(state.ends):
        assert end.session is not None
        for child in end.session.children:
            if not (child.inbound and child.outbound) or child.state is not ChildState.OPEN:
                why = f"{NAMES[who]} keeps one that is {child.state.name}"
                return Deviation("both directions (Section 1.4.1)", why)
    present = first.skeleton.children
    if len(set(present)) != len(present):
        return Deviation("a rekey leaves one (Section 2.8.1)", "there are two for one")
    doomed = first.doomed | second.doomed
    lost = [root for end in state.ends for root in end.skeleton.lost if root not in doomed]
    if lost and not closing:
        return Deviation("none is lost (Section 2.8)", f"Child SA {lost[0].hex()} is gone")
    return None


def _pairs(end: End) -> set[tuple[bytes, bytes]]:
    return {(child.spi_in, child.spi_out) for child in end.session.children} if end.session is not None else set()


def _spis(halves: dict[bytes, bytes]) -> str:
    return ", ".join(spi.hex() for spi in sorted(halves)) or "none"


def visible(state: State, origin: Origin) -> tuple[object, ...]:
    """What both ends have in a state, in words that don't depend on names and numbers, nor on which end it is."""
    words = [_visible(end, peer, origin) for end, peer in (state.ends, state.ends[::-1])]
    return tuple(sorted(words))


def _visible(end: End, peer: End, origin: Origin) -> tuple[object, ...]:
    if end.session is None:
        return (end.closing, "", ())
    ikes = tuple(
        (int(ike.phase), None if (ike.spi_i, ike.spi_r) == origin.ike else ike.initiator)
        for ike in end.session.ikes
        if ike.phase is not Phase.CLOSED
    )
    first = origin.children
    children = tuple(
        sorted(
            (
                int(child.state),
                child.spi_in in first,
                root[:4] in first,
                root in (end.doomed | peer.doomed),
                child.initiator and child.spi_in not in first,
            )
            for child, root in zip(end.session.children, end.skeleton.children, strict=True)
        )
    )
    return (end.closing, str(ikes), children)
