"""EAP as IKE carries it: MD5-Challenge, MSCHAPv2 and TLS, at both ends, as values and functions (Section 2.16)."""

from ikeref.eap.packet import Done, Packet, Tools, build, parse
from ikeref.eap.peer import Peer, answer, conclude, why_failed
from ikeref.eap.server import Move, Server, begin, fail, proceed

__all__ = [
    "Done",
    "Move",
    "Packet",
    "Peer",
    "Server",
    "Tools",
    "answer",
    "begin",
    "build",
    "conclude",
    "fail",
    "parse",
    "proceed",
    "why_failed",
]
