"""What the benchmarks have to reach."""

HANDSHAKE = 3.0
"""CPU time of a handshake, both sides, over that of its cryptographic calls."""
DECODE_INITIAL = 0.75
"""CPU time of decoding an IKE_SA_INIT of 364 octets over that of one X25519 derive."""
DECODE_AUTH = 0.9
"""CPU time of decoding an IKE_AUTH request, decryption included, over that of one X25519 derive."""
RESIDENT = 8 * 1024
"""Octets of memory for one idle IKE SA with one Child SA, at one end."""
