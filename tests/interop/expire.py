"""Runs inside the guest: tells its kernel that an SA has expired, softly (time for a successor) or hard.

`expire.py ADDRESS SPI soft|hard`: the address and the SPI (hexadecimal) of an ESP SA. The kernel believes it, and tells
the daemon as if the SA's lifetime were over.
"""

import socket
import struct
import sys

NETLINK_XFRM = 6
XFRM_MSG_EXPIRE = 0x18
NLM_F_REQUEST, NLM_F_ACK = 1, 4
NLMSG_ERROR = 2
SELECTOR, STATE, EXPIRE = 56, 224, 232
"""Octets of the kernel's structures xfrm_selector, xfrm_usersa_info and xfrm_user_expire."""
FAMILY = 212
"""Where in xfrm_usersa_info the address family is."""


def main() -> None:
    address, spi, kind = sys.argv[1:]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    body = bytearray(EXPIRE)
    destination = socket.inet_pton(family, address)
    body[SELECTOR : SELECTOR + len(destination)] = destination
    body[SELECTOR + 16 : SELECTOR + 20] = bytes.fromhex(spi)
    body[SELECTOR + 20] = socket.IPPROTO_ESP
    struct.pack_into("=H", body, FAMILY, family)
    body[STATE] = kind == "hard"
    header = struct.pack("=IHHII", 16 + len(body), XFRM_MSG_EXPIRE, NLM_F_REQUEST | NLM_F_ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as link:
        link.send(header + body)
        answer = link.recv(4096)
    (error,) = struct.unpack_from("=i", answer, 16)
    if struct.unpack_from("=H", answer, 4) != (NLMSG_ERROR,) or error:
        raise SystemExit(f"error {-error}")


if __name__ == "__main__":
    main()
