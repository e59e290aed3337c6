"""Notifications beside the suite and the selectors of a Child SA: what else both ends may agree on.

NON_FIRST_FRAGMENTS_ALSO, ESP_TFC_PADDING_NOT_SUPPORTED (Section 1.3.1) and IPCOMP_SUPPORTED (Section 2.22).
"""

from typing import Final, NamedTuple

from ikeref.errors import NoProposalChosen
from ikeref.policy.connections import ChildConfig
from ikeref.registry import IpcompTransform, NotifyType, name
from ikeref.wire import N, Payload


class Ipcomp(NamedTuple):
    """Compression that a Child SA uses (Section 2.22)."""

    transform: int
    cpi_in: int
    """Chosen here."""
    cpi_out: int
    """Chosen by the peer."""


class Options(NamedTuple):
    """What else two ends agreed on for a Child SA (Sections 1.3.1, 2.22)."""

    non_first_fragments: bool = False
    """Fragments without ports may be sent on it: both ends said so (7296-1.3.1-12)."""
    tfc_padding: bool = True
    """The peer takes padding against traffic analysis; what we take is in policy (7296-1.3.1-11)."""
    ipcomp: Ipcomp | None = None


NO_OPTIONS = Options()


_FRAGMENTS: Final = N(NotifyType.NON_FIRST_FRAGMENTS_ALSO)
_NO_PADDING: Final = N(NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED)
_OURS: Final = (
    int(NotifyType.NON_FIRST_FRAGMENTS_ALSO),
    int(NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED),
    int(NotifyType.IPCOMP_SUPPORTED),
)
_CPIS: Final = range(256, 61440)
"""Those that are negotiated (RFC 3173 section 3.3)."""


def ask(config: ChildConfig, spi_in: bytes) -> tuple[Payload, ...]:
    """What a request for a Child SA says besides: each compression algorithm, in order (7296-2.22-02)."""
    if config.plain:
        return ()
    compression = [_ipcomp(spi_in, transform) for transform in config.ipcomp]
    return (
        *compression,
        *((_FRAGMENTS,) if config.non_first_fragments else ()),
        *(() if config.tfc_padding else (_NO_PADDING,)),
    )


def grant(config: ChildConfig, spi_in: bytes, payloads: tuple[Payload, ...]) -> tuple[Options, tuple[Payload, ...]]:
    """The responder's decision, and what it answers.

    The first algorithm of policy that was offered, and none that was not (7296-2.22-08, 7296-2.22-09). What it doesn't
    want of fragments it leaves out (7296-1.3.1-13). That we take no padding it says whatever the peer said.
    """
    said = _said(payloads)
    if not said and config.plain:
        return NO_OPTIONS, ()
    offered = _offered(payloads)
    transform = next((each for each in config.ipcomp if each in offered), 0)
    ipcomp = Ipcomp(transform, cpi(spi_in), offered[transform]) if transform else None
    fragments = config.non_first_fragments and NotifyType.NON_FIRST_FRAGMENTS_ALSO in said
    options = Options(fragments, NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED not in said, ipcomp)
    return options, (
        *((_ipcomp(spi_in, transform),) if transform else ()),
        *((_FRAGMENTS,) if fragments else ()),
        *(() if config.tfc_padding else (_NO_PADDING,)),
    )


def granted(config: ChildConfig, spi_in: bytes, payloads: tuple[Payload, ...]) -> Options:
    """What the responder's answer comes to, and the initiator's check of it.

    Raises NoProposalChosen for compression that was not offered, or for more than one algorithm (7296-2.22-06).
    """
    said = _said(payloads)
    if not said:
        return NO_OPTIONS
    accepted = _offered(payloads)
    if len(accepted) > 1 or any(transform not in config.ipcomp for transform in accepted):
        names = ", ".join(name(IpcompTransform, each) for each in accepted)
        raise NoProposalChosen(f"compression was answered with {names}", section="2.22", field="N(IPCOMP_SUPPORTED)")
    ipcomp = next((Ipcomp(transform, cpi(spi_in), theirs) for transform, theirs in accepted.items()), None)
    fragments = config.non_first_fragments and NotifyType.NON_FIRST_FRAGMENTS_ALSO in said
    return Options(fragments, NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED not in said, ipcomp)


def cpi(spi_in: bytes) -> int:
    """The CPI that we receive on: it goes with the SPI, and with the Child SA (7296-2.22-01)."""
    return _CPIS[int.from_bytes(spi_in) % len(_CPIS)]


def _ipcomp(spi_in: bytes, transform: int) -> N:
    """CPI and transform ID (7296-2.22-05)."""
    return N(NotifyType.IPCOMP_SUPPORTED, cpi(spi_in).to_bytes(2) + bytes((transform,)))


def _said(payloads: tuple[Payload, ...]) -> list[int]:
    return [payload.type for payload in payloads if type(payload) is N and payload.type in _OURS]


def _offered(payloads: tuple[Payload, ...]) -> dict[int, int]:
    """CPIs by transform ID; a notification without both is no offer (Section 2.22)."""
    found: dict[int, int] = {}
    for payload in payloads:
        if type(payload) is N and payload.type == NotifyType.IPCOMP_SUPPORTED and len(payload.data) >= 3:
            found.setdefault(payload.data[2], int.from_bytes(payload.data[:2]))
    return found
