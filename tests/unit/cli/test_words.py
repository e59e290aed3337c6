"""Messages in the RFC's notation."""

import pytest

from ikeref.cli import words
from ikeref.registry import ExchangeType, NotifyType
from ikeref.wire import AUTH, FLAG_RESPONSE, KE, SA, D, IDi, Message, N, Nonce, Payload, TSi, TSr

SPI = bytes(8)


def message(exchange: int, flags: int, *payloads: Payload) -> Message:
    return Message(SPI, SPI, exchange, flags, 3, payloads)


NONCE, KEY = Nonce(bytes(32)), KE(31, bytes(32))


@pytest.mark.parametrize(
    ("exchange", "flags", "payloads", "protected", "expected"),
    [
        (ExchangeType.IKE_SA_INIT, 0, (SA(()), KEY, NONCE), False, "HDR, SAi1, KEi, Ni"),
        (ExchangeType.IKE_SA_INIT, FLAG_RESPONSE, (SA(()), KEY, NONCE), False, "HDR, SAr1, KEr, Nr"),
        (ExchangeType.IKE_SA_INIT, FLAG_RESPONSE, (N(NotifyType.COOKIE, b"x"),), False, "HDR, N(COOKIE)"),
        (
            ExchangeType.IKE_AUTH,
            0,
            (IDi(2, b"a"), AUTH(2, b""), SA(()), TSi(()), TSr(())),
            True,
            "HDR, SK {IDi, AUTH, SAi2, TSi, TSr}",
        ),
        (ExchangeType.CREATE_CHILD_SA, FLAG_RESPONSE, (SA(()), NONCE, KEY), True, "HDR, SK {SA, Nr, KEr}"),
        (ExchangeType.INFORMATIONAL, 0, (D(1, 0, ()),), True, "HDR, SK {D}"),
        (ExchangeType.INFORMATIONAL, 0, (), True, "HDR, SK {}"),
        (ExchangeType.INFORMATIONAL, 0, (), False, "HDR"),
        (250, 0, (N(60000),), False, "HDR, N(60000)"),
    ],
)
def test_s1_2_payloads_have_the_symbols_of_the_rfc(
    exchange: int, flags: int, payloads: tuple[Payload, ...], protected: bool, expected: str
) -> None:
    assert words.notation(message(exchange, flags, *payloads), protected=protected) == expected


def test_an_unknown_exchange_keeps_its_number() -> None:
    assert words.exchange(message(250, FLAG_RESPONSE)) == "250 response 3"
