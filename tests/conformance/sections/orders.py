"""The order of payloads in a message (Appendix C): what it is, and the same message with two of them swapped."""

from ikeref.wire import AUTH, SA, payload_name
from tests.conformance.sections.corpus import Sent
from tests.conformance.sections.rules import Alteration, every, has

IKE_AUTH = 35


def names(each: Sent) -> list[str]:
    return [payload_name(payload) for payload in each.message.payloads]


ORDER = {
    "7296-C.1-01": ["N(COOKIE)", "SA", "KE", "NONCE", "N(NAT_DETECTION_SOURCE_IP)", "N(NAT_DETECTION_DESTINATION_IP)",
                    "N(HTTP_CERT_LOOKUP_SUPPORTED)", "CERTREQ"],
    "7296-C.2-01": ["IDi", "CERT", "N(INITIAL_CONTACT)", "CERTREQ", "IDr", "AUTH", "CP", "SA", "TSi", "TSr"],
    "7296-C.2-01 response": ["IDr", "CERT", "AUTH", "CP", "SA", "TSi", "TSr"],
    "7296-C.4-01": ["N(REKEY_SA)", "CP", "N(IPCOMP_SUPPORTED)", "N(USE_TRANSPORT_MODE)", "SA", "NONCE", "KE",
                    "TSi", "TSr"],
    "7296-C.5-01": ["SA", "NONCE", "KE"],
}  # fmt: skip


def protocol(each: Sent) -> int:
    return every(each, SA)[0].proposals[0].protocol_id


def in_order(each: Sent, id: str) -> bool:
    """Whether the payloads that the appendix orders stand in its order."""
    order = ORDER[id]
    places = [order.index(name) for name in names(each) if name in order]
    return places == sorted(places)


def in_auth(each: Sent) -> bool:
    """IKE_AUTH without EAP, with a Child SA."""
    return each.message.exchange_type == IKE_AUTH and each.life != "eap" and has(AUTH, SA)(each)


def swapped(one: str, two: str) -> Alteration:
    """Two payloads in each other's place."""

    def alter(each: Sent) -> Sent:
        payloads, found = list(each.message.payloads), names(each)
        a, b = found.index(one), found.index(two)
        payloads[a], payloads[b] = payloads[b], payloads[a]
        return each.of(each.message._replace(payloads=tuple(payloads)))

    return alter
