"""Which Child SA two ends agree on: policy, suite, traffic and mode (Sections 1.3.1, 2.7, 2.9, 2.9.2, 2.23.1)."""

from typing import NamedTuple

from ikeref.crypto import ChildSuite
from ikeref.errors import InvalidSyntax, NoProposalChosen, SinglePairRequired, TsUnacceptable
from ikeref.policy import addresses, choice, explain, selectors
from ikeref.policy.connections import ChildConfig
from ikeref.registry import NotifyType
from ikeref.sa import configuration, options
from ikeref.sa.compose import notification, one
from ikeref.sa.options import NO_OPTIONS, Options
from ikeref.sa.turn import Turn
from ikeref.sa.values import ChildSa, IkeSa
from ikeref.wire import SA, N, Payload, Proposal, TrafficSelector, TSi, TSr

Selectors = tuple[TrafficSelector, ...]


class Agreed(NamedTuple):
    """What both ends agreed on for a Child SA."""

    suite: ChildSuite
    tsi: Selectors
    tsr: Selectors
    transport: bool
    spi: bytes
    """The peer's."""
    options: Options = NO_OPTIONS
    original: tuple[bytes, ...] = ()
    """Addresses of TSi and TSr as received, where a NAT changed them (Section 2.23.1)."""
    more: bool = False
    """Other selectors would have been acceptable, in another Child SA (7296-2.9-13, 7296-2.9-14)."""


def own_selectors(turn: Turn, config: ChildConfig, ike: IkeSa) -> tuple[Selectors, Selectors]:
    """Policy's selectors of our traffic and of the peer's.

    Where it has none: the internal addresses of an end that was given some (Section 2.19), else the addresses of the
    IKE SA (Section 2.9).
    """
    local, remote, internal = config.local_ts, config.remote_ts, turn.internal
    if internal is not None:
        if internal.ours:
            local = local or internal.selectors
        else:
            remote = remote or internal.selectors
    return local or (addresses.host(ike.path.local[0]),), remote or (addresses.host(ike.path.remote[0]),)


def in_transport_mode(ike: IkeSa, local: Selectors, remote: Selectors) -> tuple[Selectors, Selectors]:
    """Selectors for transport mode: through a NAT only traffic of the very addresses of the IKE SA.

    (7296-2.23.1-01, 7296-2.23.1-02, 7296-2.23.1-13, 7296-2.23.1-14, 7296-2.23.1-15, 7296-2.23.1-16.) Empty where policy
    is about others.
    """
    if not (ike.nat_local or ike.nat_remote):
        return local, remote
    return (
        selectors.narrow((addresses.host(ike.path.local[0]),), local),
        selectors.narrow((addresses.host(ike.path.remote[0]),), remote),
    )


def shared(agreed: Selectors, known: Selectors) -> Selectors:
    """What is agreed; where policy says the same, policy's own value, which all Child SAs have in common."""
    return known if agreed == known else agreed


# Responder


class _Candidate(NamedTuple):
    """A Child SA that policy would let the peer have, as far as traffic goes."""

    config: ChildConfig
    tsi: Selectors
    tsr: Selectors
    transport: bool
    original: tuple[bytes, ...] = ()


def decide(
    turn: Turn, ike: IkeSa, payloads: tuple[Payload, ...], *, with_ke: bool, old: ChildSa | None = None
) -> tuple[ChildConfig, Agreed, Proposal]:
    """The responder's decision: which policy, which suite, which traffic. Options are granted later.

    What replaces a Child SA must not be narrower (7296-2.9.2-04), and has its algorithms if it can (7296-2.8-08).
    """
    # Parse
    offer = one(payloads, SA, "1.3.1").proposals
    tsi = one(payloads, TSi, "1.3.1").selectors
    tsr = one(payloads, TSr, "1.3.1").selectors
    # Check
    found = _candidates(turn, ike, payloads, tsi, tsr, old)
    for index, candidate in enumerate(found):
        config = candidate.config
        acceptable = _acceptable(config, with_ke)
        chosen = choice.choose(offer, acceptable if old is None else choice.in_use_first(acceptable, old.suite))
        if chosen is None:
            continue
        spi = _peer_spi(offer, chosen)
        if len(spi) != 4:
            raise InvalidSyntax("the SPI of a Child SA has 4 octets", section="3.3.1", field="SA.Proposal.SPI")
        suite = choice.child_suite_of(chosen)
        _, narrowed_i, narrowed_r, transport, original = candidate
        narrowed_i, narrowed_r = shared(narrowed_i, config.remote_ts), shared(narrowed_r, config.local_ts)
        more = False
        if old is None and (len(found) > 1 or config.single_pair):
            others = [each for each in found[index + 1 :] if choice.choose(offer, _acceptable(each.config, with_ke))]
            more = _more(candidate, tsi, tsr, others)
        agreed = Agreed(suite, narrowed_i, narrowed_r, transport, spi, NO_OPTIONS, original, more)
        return config, agreed, chosen
    policies = tuple(each for candidate in found for each in _acceptable(candidate.config, with_ke))
    detail = explain.suites(offer, policies)
    raise NoProposalChosen("no proposal for a Child SA is acceptable", section="2.7", field="SA", detail=detail)


def _candidates(
    turn: Turn, ike: IkeSa, payloads: tuple[Payload, ...], tsi: Selectors, tsr: Selectors, old: ChildSa | None
) -> list[_Candidate]:
    """What policy would let the peer have, best first: never empty.

    First what holds the first selectors of the offer, which the packet told (7296-2.9-11, 7296-2.9-12). Where transport
    mode is asked for, policy is looked up with the addresses that this end sees, and if that gives nothing, again with
    those that were sent, in tunnel mode (7296-2.23.1-05, 7296-2.23.1-06, 7296-2.23.1-07, 7296-2.23.1-08,
    7296-2.23.1-09, 7296-2.23.1-10, 7296-2.23.1-11, 7296-2.23.1-20,
    7296-2.23.1-21, 7296-2.23.1-22).
    """
    found: list[_Candidate] = []
    refused = False
    policies = turn.connection.children
    if old is not None:
        policies = tuple([config for config in policies if config.name == old.name])
    if notification(payloads, NotifyType.USE_TRANSPORT_MODE) is not None:
        seen_i, seen_r, original = _seen(ike, tsi, tsr)
        for config in policies:
            if config.mode != "transport":
                continue
            local, remote = in_transport_mode(ike, *own_selectors(turn, config, ike))
            narrowed = _narrowed(config, seen_i, seen_r, remote, local, old)
            refused = refused or narrowed is None
            if narrowed is not None and narrowed[0] and narrowed[1]:
                found.append(_Candidate(config, *narrowed, True, original))
    if not found:
        for config in policies:
            local, remote = own_selectors(turn, config, ike)
            narrowed = _narrowed(config, tsi, tsr, remote, local, old)
            refused = refused or narrowed is None
            if narrowed is not None and narrowed[0] and narrowed[1]:
                found.append(_Candidate(config, *narrowed, False))
    if not found:
        detail = explain.traffic(tsi, tsr, _policies(turn, ike, policies))
        if refused:
            reason = "each pair of addresses has a Child SA of its own here"
            raise SinglePairRequired(reason, section="2.9", field="TS", detail=detail)
        raise TsUnacceptable("no traffic selectors are acceptable", section="2.9", field="TS", detail=detail)
    if old is not None and not (
        selectors.is_within(old.remote_ts, found[0].tsi) and selectors.is_within(old.local_ts, found[0].tsr)
    ):
        reason = "the selectors of a rekey are narrower than those in use"
        detail = explain.traffic(tsi, tsr, [explain.Policy(f"{old.name}, in use", old.remote_ts, old.local_ts)])
        raise TsUnacceptable(reason, section="2.9.2", field="TS", detail=detail)
    if len(found) > 1:
        found.sort(key=lambda each: not _holds_first(each, tsi, tsr))
    return found


def _policies(turn: Turn, ike: IkeSa, configs: tuple[ChildConfig, ...]) -> list[explain.Policy]:
    """Policy as the end that asks would have to offer it."""
    return [explain.Policy(config.name, *own_selectors(turn, config, ike)[::-1]) for config in configs]


def _seen(ike: IkeSa, theirs: Selectors, ours: Selectors) -> tuple[Selectors, Selectors, tuple[bytes, ...]]:
    """Selectors for transport mode with the addresses that this end sees, and the addresses that were sent.

    A NAT before the peer changes its address, one before us changes ours (7296-2.23.1-06, 7296-2.23.1-07).
    """
    if not (ike.nat_local or ike.nat_remote):
        return theirs, ours, ()
    if not selectors.has_single_address(theirs) or not selectors.has_single_address(ours):
        return theirs, ours, ()
    sent = (theirs[0].start, ours[0].start)
    if ike.nat_remote:
        theirs = selectors.with_address(theirs, ike.path.remote[0])
    if ike.nat_local:
        ours = selectors.with_address(ours, ike.path.local[0])
    return theirs, ours, sent if sent != (theirs[0].start, ours[0].start) else ()


def _narrowed(
    config: ChildConfig, tsi: Selectors, tsr: Selectors, remote: Selectors, local: Selectors, old: ChildSa | None
) -> tuple[Selectors, Selectors] | None:
    """What of an offer a policy allows; None where it wants one pair of addresses and can't tell which."""
    if not config.single_pair:
        return selectors.narrow(tsi, remote), selectors.narrow(tsr, local)
    if old is not None:
        return selectors.narrow(tsi, old.remote_ts), selectors.narrow(tsr, old.local_ts)
    narrowed_i, narrowed_r = selectors.narrow_to_pair(tsi, remote), selectors.narrow_to_pair(tsr, local)
    if narrowed_i and narrowed_r:
        return narrowed_i, narrowed_r
    return None if selectors.narrow(tsi, remote) and selectors.narrow(tsr, local) else ((), ())


def _holds_first(candidate: _Candidate, tsi: Selectors, tsr: Selectors) -> bool:
    if candidate.transport:
        return True
    return selectors.is_within(tsi[:1], candidate.tsi) and selectors.is_within(tsr[:1], candidate.tsr)


def _more(chosen: _Candidate, tsi: Selectors, tsr: Selectors, others: list[_Candidate]) -> bool:
    """Whether the peer could have more of what it offered, but in another Child SA."""
    if chosen.config.single_pair:
        local, remote = chosen.config.local_ts, chosen.config.remote_ts
        whole_i, whole_r = selectors.narrow(tsi, remote), selectors.narrow(tsr, local)
        return not (selectors.is_within(whole_i, chosen.tsi) and selectors.is_within(whole_r, chosen.tsr))
    return any(
        not (selectors.is_within(other.tsi, chosen.tsi) and selectors.is_within(other.tsr, chosen.tsr))
        for other in others
    )


def _acceptable(config: ChildConfig, with_ke: bool) -> tuple[Proposal, ...]:
    return config.proposals if with_ke else choice.without_ke(config.proposals)


def _peer_spi(offer: tuple[Proposal, ...], chosen: Proposal) -> bytes:
    for proposal in offer:
        if proposal.number == chosen.number and proposal.protocol_id == chosen.protocol_id:
            return proposal.spi
    return b""


# Initiator


def verify_answer(
    ike: IkeSa,
    config: ChildConfig,
    spi_in: bytes,
    asked: bool,
    offer: tuple[Proposal, ...],
    local: Selectors,
    remote: Selectors,
    payloads: tuple[Payload, ...],
) -> Agreed:
    """The initiator's check of an answer, transport mode `asked` for or not (Sections 1.3.1, 2.7, 2.9, 3.3.6).

    In transport mode the addresses that this end sees take the place of those that a NAT made (7296-2.23.1-12,
    7296-2.23.1-19). Raises RemoteProtocolError.
    """
    chosen = choice.verify_choice(offer, one(payloads, SA, "1.3.1").proposals)
    tsi = one(payloads, TSi, "1.3.1").selectors
    tsr = one(payloads, TSr, "1.3.1").selectors
    said = [payload.type for payload in payloads if type(payload) is N]
    transport = NotifyType.USE_TRANSPORT_MODE in said
    original: tuple[bytes, ...] = ()
    if transport:
        tsr, tsi, original = _seen(ike, tsr, tsi)
        original = original[::-1]
    if not tsi or not tsr or not selectors.is_within(tsi, local) or not selectors.is_within(tsr, remote):
        reason = "the answer has traffic that was not offered"
        detail = f"answered: TSi {explain.texts(tsi)}, TSr {explain.texts(tsr)}\n"
        detail += f"acceptable: TSi {explain.texts(local)}, TSr {explain.texts(remote)}"
        raise TsUnacceptable(reason, section="2.9", field="TS", detail=detail)
    if transport != asked:
        mode = "transport" if transport else "tunnel"
        raise NoProposalChosen(f"{mode} mode is not acceptable", section="1.3.1", field="N(USE_TRANSPORT_MODE)")
    if not said:
        return Agreed(choice.child_suite_of(chosen), tsi, tsr, transport, chosen.spi)
    granted = options.granted(config, spi_in, payloads)
    more = NotifyType.ADDITIONAL_TS_POSSIBLE in said
    return Agreed(choice.child_suite_of(chosen), tsi, tsr, transport, chosen.spi, granted, original, more)


def offered_selectors(
    turn: Turn, ike: IkeSa, config: ChildConfig, packet: Selectors = (), *, alone: bool = False
) -> tuple[Selectors, Selectors]:
    """What an initiator offers as its own traffic and as the peer's, within policy (7296-2.9.1-01).

    Who has yet to be given an internal address offers all of the families that it asks for (Section 2.19). The packet
    that asked for the Child SA comes first (7296-2.9-07, 7296-2.23.1-04, 7296-2.23.1-17), or `alone` (7296-2.9-16).
    Raises TsUnacceptable where policy has nothing for that packet, or for transport mode through a NAT.
    """
    local, remote = own_selectors(turn, config, ike)
    if turn.connection.request and lacks_address(turn, config):
        kinds = [each.type for each in turn.connection.request]
        local = tuple(everything for kind, everything in _EVERYTHING if kind in kinds)
    if config.mode == "transport":
        local, remote = in_transport_mode(ike, local, remote)
        if not local or not remote:
            raise TsUnacceptable("policy has no traffic between the addresses of the IKE SA", section="2.23.1")
    if not packet:
        return local, remote
    source, destination = packet
    if not selectors.is_within((source,), local) or not selectors.is_within((destination,), remote):
        raise TsUnacceptable("policy does not let that packet go by this Child SA", section="2.9.1")
    if alone or config.single_pair:
        return (source,), (destination,)
    return _first(source, local), _first(destination, remote)


def lacks_address(turn: Turn, config: ChildConfig) -> bool:
    """Whether a Child SA is for the traffic of an internal address that we have yet to be given."""
    return not config.local_ts and turn.internal is None and configuration.wants_address(turn.connection)


_EVERYTHING = tuple(
    zip(configuration.ADDRESSES, (addresses.from_text("0.0.0.0/0"), addresses.from_text("::/0")), strict=True)
)


def _first(selector: TrafficSelector, others: Selectors) -> Selectors:
    return others if selector == others[0] else (selector, *others)
