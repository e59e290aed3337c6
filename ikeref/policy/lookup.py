"""Which URLs may be looked up for a peer that names its certificates by hash and URL (Section 3.6).

The peer is not authenticated yet: it chooses the path, our operator the hosts.
"""

from hashlib import sha1
from urllib.parse import urlsplit

HASH_OCTETS = 20
"""Of the SHA-1 digest in front of the URL (`7296-3.6-08`)."""
MAX_URL_OCTETS = 2048
MAX_LOOKUPS = 4
"""For one peer."""
MAX_OBJECT_OCTETS = 65536
"""The largest certificate or bundle that is fetched."""
_PORT = 80


def url_of(data: bytes) -> str:
    """The URL of a CERT payload of encoding 12 or 13; ValueError where it is none that we would ever fetch."""
    octets = data[HASH_OCTETS:]
    if not octets or len(octets) > MAX_URL_OCTETS:
        raise ValueError("hash and URL without a URL, or too long a one")
    if not all(0x21 <= octet <= 0x7E for octet in octets):
        raise ValueError("a URL with octets that no URL has")
    url = octets.decode("ascii")
    host_of(url)
    return url


def host_of(url: str) -> str:
    """`host:port`, in lower case. ValueError for any scheme but http (`7296-3.6-14`, `7296-3.6-15`)."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise ValueError(f"the scheme of {url} is not http")
    if parts.hostname is None or "@" in parts.netloc or "\\" in url:
        raise ValueError(f"{url} names no host, or a user")
    port = parts.port
    return _named(parts.hostname, _PORT if port is None else port)


def host(text: str) -> str:
    """What an operator writes, `host` or `host:port`, IPv6 addresses in brackets. ValueError with the reason."""
    if not text.isascii() or any(each in text for each in "/@?#\\ "):
        raise ValueError(f"{text!r} is no host, nor host:port")
    return host_of(f"http://{text}/")


def _named(name: str, port: int) -> str:
    return f"[{name}]:{port}" if ":" in name else f"{name.lower()}:{port}"


def is_of(data: bytes, octets: bytes) -> bool:
    """Whether these octets are what the hash stands for; checked before anything in them is looked at."""
    return sha1(octets, usedforsecurity=False).digest() == data[:HASH_OCTETS]


def hash_and_url(octets: bytes, url: str) -> bytes:
    """The Certificate Data of encodings 12 and 13."""
    return sha1(octets, usedforsecurity=False).digest() + url.encode("ascii")
