"""The computations of MS-CHAP-V2 and its keys, by their names in RFC 2759 section 8 and RFC 3079 section 3.

MD4 and DES are weak; nothing else here uses them. They come from pycryptodomex, for OpenSSL has no MD4 any more.
"""

import hashlib
import hmac

from Cryptodome.Cipher import DES
from Cryptodome.Hash import MD4

_TO_CLIENT = b"Magic server to client signing constant"
_ITERATE = b"Pad to make it do more than one iteration"
_MASTER = b"This is the MPPE Master Key"
_CLIENT_SENDS = b"On the client side, this is the send key; on the server side, it is the receive key."
_CLIENT_RECEIVES = b"On the client side, this is the receive key; on the server side, it is the send key."
_PAD_1 = bytes(40)
_PAD_2 = b"\xf2" * 40
_KEY_OCTETS = 16


def _sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts), usedforsecurity=False).digest()


def nt_password_hash(password: str) -> bytes:
    """NtPasswordHash (RFC 2759 section 8.3). 16 octets."""
    return MD4.new(password.encode("utf-16-le")).digest()


def hash_nt_password_hash(password_hash: bytes) -> bytes:
    """HashNtPasswordHash (RFC 2759 section 8.4). 16 octets."""
    return MD4.new(password_hash).digest()


def challenge_hash(peer_challenge: bytes, authenticator_challenge: bytes, user: bytes) -> bytes:
    """ChallengeHash; `user` has no domain (RFC 2759 section 8.2). 8 octets."""
    return _sha1(peer_challenge, authenticator_challenge, user)[:8]


def des_key(raw: bytes) -> bytes:
    """Seven octets as a DES key of eight, with odd parity (RFC 2759 sections 8.6 and 9.3)."""
    bits = int.from_bytes(raw, "big")
    sevens = [bits >> shift & 0x7F for shift in range(49, -1, -7)]
    return bytes([seven << 1 | (seven.bit_count() + 1) % 2 for seven in sevens])


def challenge_response(challenge: bytes, password_hash: bytes) -> bytes:
    """ChallengeResponse (RFC 2759 section 8.5). 24 octets."""
    padded = password_hash.ljust(21, b"\0")
    keys = (padded[:7], padded[7:14], padded[14:])
    return b"".join([DES.new(des_key(key), DES.MODE_ECB).encrypt(challenge) for key in keys])


def nt_response(authenticator_challenge: bytes, peer_challenge: bytes, user: bytes, password_hash: bytes) -> bytes:
    """GenerateNTResponse, from the hash of the password (RFC 2759 section 8.1). 24 octets."""
    return challenge_response(challenge_hash(peer_challenge, authenticator_challenge, user), password_hash)


def authenticator_response(
    password_hash: bytes, response: bytes, peer_challenge: bytes, authenticator_challenge: bytes, user: bytes
) -> bytes:
    """GenerateAuthenticatorResponse (RFC 2759 section 8.7). 42 octets of ASCII, `S=` and hexadecimal digits."""
    digest = _sha1(hash_nt_password_hash(password_hash), response, _TO_CLIENT)
    challenge = challenge_hash(peer_challenge, authenticator_challenge, user)
    return b"S=" + _sha1(digest, challenge, _ITERATE).hex().upper().encode("ascii")


def is_authenticator_response(expected: bytes, got: bytes) -> bool:
    """CheckAuthenticatorResponse (RFC 2759 section 8.8), in constant time."""
    return hmac.compare_digest(expected, got)


def master_key(password_hash: bytes, response: bytes) -> bytes:
    """GetMasterKey (RFC 3079 section 3.4). 16 octets."""
    return _sha1(hash_nt_password_hash(password_hash), response, _MASTER)[:_KEY_OCTETS]


def start_key(master: bytes, *, client_sends: bool) -> bytes:
    """GetAsymmetricStartKey for 128 bits: the key of one direction (RFC 3079 section 3.4). 16 octets."""
    return _sha1(master, _PAD_1, _CLIENT_SENDS if client_sends else _CLIENT_RECEIVES, _PAD_2)[:_KEY_OCTETS]


def msk(password_hash: bytes, response: bytes) -> bytes:
    """The MSK: the server's receive key, its send key, and zeros up to 64 octets."""
    master = master_key(password_hash, response)
    return (start_key(master, client_sends=True) + start_key(master, client_sends=False)).ljust(64, b"\0")
