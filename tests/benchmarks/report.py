"""Run all benchmarks and print a table in Markdown: `python tests/benchmarks/report.py`."""

import platform
import sys
from importlib.metadata import version
from pathlib import Path as File

from cryptography.hazmat.backends.openssl.backend import backend

ROOT = File(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "properties")]

from tests.benchmarks import measure, targets  # noqa: E402  # found only once the path is set

IKE_SAS = 10_000


def rows() -> list[tuple[str, str, str]]:
    """What was measured, the result, the target."""
    whole, initial, auth = measure.handshake(), measure.decoding_initial(), measure.decoding_auth()
    memory = {role: measure.resident_octets(IKE_SAS, role) / 1024 for role in ("responder", "initiator")}
    speed = measure.loopback(1000)
    return [
        (
            "PSK handshake, both sides, over its cryptographic calls alone",
            f"**{whole.ratio:.2f}** ({whole.microseconds:.0f} µs over {whole.against:.0f} µs)",
            f"≤ {targets.HANDSHAKE}",
        ),
        (
            "decoding an IKE_SA_INIT of 364 octets, over one X25519 derive",
            f"**{initial.ratio:.2f}** ({initial.microseconds:.1f} µs over {initial.against:.1f} µs)",
            f"≤ {targets.DECODE_INITIAL}",
        ),
        (
            "decrypting and decoding an IKE_AUTH request, over one X25519 derive",
            f"**{auth.ratio:.2f}** ({auth.microseconds:.1f} µs over {auth.against:.1f} µs)",
            f"≤ {targets.DECODE_AUTH}",
        ),
        (
            f"memory per idle IKE SA with one Child SA, over {IKE_SAS:,} of them",
            f"**{memory['responder']:.1f} KiB** as responder, **{memory['initiator']:.1f} KiB** as initiator",
            f"≤ {targets.RESIDENT // 1024} KiB",
        ),
        (
            "handshakes over loopback UDP, one after the other, both ends in one process",
            f"**{speed:.0f}** a second",
            "",
        ),
    ]


def main() -> None:
    """Print the table."""
    print("| what | measured | target |")
    print("|---|---|---|")
    for row in rows():
        print(f"| {' | '.join(row)} |")
    print()
    library = f"cryptography {version('cryptography')} ({backend.openssl_version_text()})"
    print(f"Python {platform.python_version()}, {library}, {platform.machine()}, one core.")
    print("X25519, AES-256-GCM, HMAC-SHA-256; ratios are of CPU time, the median of", end=" ")
    print(f"{measure.PAIRS} pairs of measurements made in turn.")


if __name__ == "__main__":
    main()
