"""What one endpoint is told by its operator: connections, their Child SAs, and settings for all of them.

`Connection` and `ChildConfig` are policy towards one peer (Sections 2.7, 2.9, 2.15, 2.19); `Settings` holds timers and
limits that an endpoint has before it knows any peer (Sections 2.1, 2.4, 2.6, 2.8). `ikeref.policy.config.load` reads
them from TOML.
"""

from dataclasses import dataclass, field
from typing import Literal

from ikeref.policy.credentials import OwnCredential, PeerCredential
from ikeref.policy.identities import Identity
from ikeref.policy.pools import Pool
from ikeref.policy.proposals import DEFAULT_ESP, DEFAULT_IKE
from ikeref.wire import CfgAttr, Proposal, TrafficSelector

Mode = Literal["tunnel", "transport"]


@dataclass(frozen=True, slots=True)
class ChildConfig:
    """What is acceptable for one Child SA (Sections 1.3.1, 2.7, 2.9)."""

    name: str
    proposals: tuple[Proposal, ...] = DEFAULT_ESP
    """In order of preference, all of ESP or all of AH, without SPIs. KE transforms in them mean forward secrecy."""
    local_ts: tuple[TrafficSelector, ...] = ()
    """Traffic of this end. Empty: this end's own address of the IKE SA (Section 2.23.1 says what a NAT does to it)."""
    remote_ts: tuple[TrafficSelector, ...] = ()
    """Traffic of the peer's end. Empty: the peer's address of the IKE SA."""
    mode: Mode = "tunnel"
    """What we ask for as requester, and the most we grant as responder: a peer that asks for transport gets it
    only where this says so (Section 1.3.1)."""
    start: bool = True
    """Whether connecting creates it; else only a command, or the peer, does."""
    single_pair: bool = False
    """Whether each pair of addresses is to have a Child SA of its own: else SINGLE_PAIR_REQUIRED (Section 2.9)."""
    non_first_fragments: bool = False
    """Offer and accept that fragments without ports go by this Child SA too (Section 1.3.1)."""
    tfc_padding: bool = True
    """Whether we take padding against traffic analysis; else the peer is told (Section 1.3.1)."""
    ipcomp: tuple[int, ...] = ()
    """Compression algorithms to offer and accept, the preferred first (Section 2.22)."""

    @property
    def plain(self) -> bool:
        """Whether nothing of the optional is asked for."""
        return not self.non_first_fragments and self.tfc_padding and not self.ipcomp


@dataclass(frozen=True, slots=True)
class Connection:
    """Policy towards one peer."""

    name: str
    local_id: Identity
    """Sent as IDi or IDr (Section 3.5)."""
    remote_id: Identity | None
    """What the peer must prove to be; None accepts any identity that its credential covers."""
    local_auth: OwnCredential
    remote_auth: PeerCredential
    ike_proposals: tuple[Proposal, ...] = DEFAULT_IKE
    """In order of preference, without SPIs."""
    children: tuple[ChildConfig, ...] = ()
    """The first that has `start` is created by IKE_AUTH, further ones by CREATE_CHILD_SA."""
    local_address: str | None = None
    """Numeric IPv4 or IPv6 address; None: the one from which `remote_address` is reached."""
    remote_address: str | None = None
    """Numeric address of the peer; None: any peer, so this end can only respond."""
    local_port: int = 500
    local_nat_port: int = 4500
    """UDP port with the non-ESP marker (Section 2.23)."""
    remote_port: int = 500
    remote_nat_port: int = 4500
    childless: bool = False
    """Create the IKE SA without a first Child SA where the peer supports it (RFC 6023)."""
    initial_contact: bool = False
    """Say INITIAL_CONTACT where this end has no other IKE SA with the peer, which then forgets those that it still has.

    Not for credentials that are used from several places at once (7296-2.4-05)."""
    request: tuple[CfgAttr, ...] = ()
    """What we ask the peer for in IKE_AUTH by a CFG_REQUEST; with an address in it, one is needed (Section 2.19)."""
    pools: tuple[Pool, ...] = ()
    """What peers get internal addresses from, in order of preference; none: we give out none."""
    configuration_required: bool = False
    """Whether a peer without internal address gets no Child SA, but FAILED_CP_REQUIRED (Section 2.19)."""
    application_version: str = ""
    """What an authenticated peer that asks for our version is told; empty: nothing (Section 2.20)."""
    force_encapsulation: bool = False
    """Pretend a NAT, so that ESP goes in UDP (Section 2.23)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Timers and limits of an endpoint. Times are in seconds; 0 switches off what can be switched off."""

    retransmit_initial_seconds: float = 1.0
    """From a request to its first retransmission (Section 2.1)."""
    retransmit_base: float = 1.8
    """Each further wait is this many times the one before (Section 2.1: exponentially growing)."""
    retransmit_tries: int = 5
    """Retransmissions before the peer is given up (Section 2.4)."""
    half_open_seconds: float = 30.0
    """How long a responder keeps an IKE SA whose initiator does not go on to IKE_AUTH (Section 2.4)."""
    half_open_limit: int = 1000
    """Half-open IKE SAs at most; beyond it IKE_SA_INIT requests are dropped."""
    half_open_per_address: int = 100
    """Of these from one address (of IPv6: from one /64) at most; from half of it on that address has to bring a COOKIE,
    so that nobody uses up another's (Section 2.6). 0: as many as there may be."""
    unprotected_octets: int = 8192
    """Length at most of a message that does not begin with SK or SKF, which anyone can have us read (Section 2.6)."""
    cookie_threshold: int = 50
    """From this many half-open IKE SAs on a COOKIE is demanded; 0: always (Section 2.6)."""
    cookie_secret_seconds: float = 120.0
    """How long a secret makes cookies; the one before it stays valid for as long again (Section 2.6)."""
    unprotected_answers_per_second: float = 100.0
    """Error notifications at most in answer to unprotected requests; cookies don't count (Section 2.21.4)."""
    child_limit: int = 0
    """Child SAs of one IKE SA at most, beyond which NO_ADDITIONAL_SAS answers (Section 1.3); 0: any number."""
    initial_rounds: int = 6
    """How often an IKE_SA_INIT is sent anew for COOKIE and INVALID_KE_PAYLOAD before giving up (Section 2.6.1)."""
    eap_rounds: int = 50
    """IKE_AUTH exchanges of one IKE SA at most where EAP is used; a certificate chain in EAP-TLS takes many
    (Section 2.16)."""
    liveness_seconds: float = 0.0
    """Silence of the peer after which an empty INFORMATIONAL asks whether it lives (Section 2.4); 0: never."""
    hint_seconds: float = 30.0
    """Silence of the peer from which on a hint that nobody protects, such as ICMP, has it asked whether it lives, and
    between reports of unknown SPIs to it (Sections 2.4, 2.21.4); 0: hints start nothing."""
    keepalive_seconds: float = 20.0
    """Silence towards a peer beyond our NAT after which a one-octet keepalive is sent (Section 2.23); 0: never."""
    rekey_ike_seconds: float = 0.0
    """Age at which an IKE SA is rekeyed (Section 2.8); 0: only on command."""
    rekey_child_seconds: float = 0.0
    """Age at which a Child SA is rekeyed (Section 2.8); 0: only on command."""
    expire_ike_seconds: float = 0.0
    """Age at which an IKE SA that was not rekeyed is closed (Section 2.8); 0: never."""
    expire_child_seconds: float = 0.0
    """Age at which a Child SA that is still there ends, and the IKE SA with it (Section 2.8); 0: never."""
    retry_seconds: float = 5.0
    """Wait before trying again what the peer answered with TEMPORARY_FAILURE; it doubles each time (Section 2.25)."""
    retry_tries: int = 5
    """Attempts after TEMPORARY_FAILURE before the IKE SA is given up (Section 2.25)."""
    closed_linger_seconds: float = 30.0
    """How long a closed IKE SA still answers the peer's retransmissions of its last requests (Section 2.1)."""
    window_size: int = 1
    """Requests of a peer that are taken at once; above 1 it is told by SET_WINDOW_SIZE (Section 2.3)."""
    fragment_octets: int = 1280
    """The largest IP datagram that is sent whole; longer messages go in fragments. 0: no fragmentation (RFC 7383)."""
    fragment_limit: int = 64
    """Fragments of one message that are taken at most (RFC 7383)."""
    message_octets: int = 65535
    """Length at most of what the fragments of one message carry together (RFC 7383)."""
    nonce_octets: int = 32
    """Length of our nonces: 16 to 256, and at least half the key size of the PRF (Section 2.10)."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that one configuration file says."""

    connections: tuple[Connection, ...]
    settings: Settings = field(default_factory=Settings)
