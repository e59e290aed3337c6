"""ESP (RFC 4303), what a Child SA is for: packets sealed and opened with the keys that IKE agreed on, as values.

`packet` turns octets into octets, `replay` says which sequence numbers are new, `inner` reads the IP packets that are
carried, and `carrier` is a data plane of all that: what is to be sent goes in, what is to be done comes out.
Extended sequence numbers, ECN (Section 2.24) and encapsulation in UDP (Section 2.23) are in it; AH is not.
"""

from ikeref.esp.carrier import Carrier, Delivered, Refused, Sealed
from ikeref.esp.inner import Inner
from ikeref.esp.packet import Opened, open_packet, seal_packet
from ikeref.esp.replay import NEW_WINDOW, Window

__all__ = [
    "NEW_WINDOW",
    "Carrier",
    "Delivered",
    "Inner",
    "Opened",
    "Refused",
    "Sealed",
    "Window",
    "open_packet",
    "seal_packet",
]
