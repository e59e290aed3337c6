"""Cryptography of the IKE SA: transforms, key exchange, key schedule, AUTH (Sections 2.12 to 2.18 and 3.14).

The protocol code calls a `Provider`: `real.RealCrypto` computes, `free.FreeCrypto` pretends. `schedule`, `auth` and
`envelope` are functions on either.
"""

from ikeref.crypto.provider import ChildSuite, Provider, Suite
from ikeref.crypto.schedule import ChildKeys, IkeKeys

__all__ = ["ChildKeys", "ChildSuite", "IkeKeys", "Provider", "Suite"]
