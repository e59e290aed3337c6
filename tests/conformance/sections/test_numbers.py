"""What numbers stand for, as RFC 7296 tabulates them (Sections 3.1 to 3.16): the name that a reader is shown.

Each number stands in a message where it belongs; with another number the message says another name.
"""

import pytest
from ikeref_properties.network import A, Pair

from ikeref import wire
from ikeref.sa import configuration
from ikeref.sa.turn import Turn
from ikeref.wire import CfgAttr
from tests.unit.wire.octets import datagram

NOTIFY = "00 00 0008 00 00 {:04x}"
TRANSFORM = "00 00 0014 00 00 0010 01 01 00 01 00 00 0008 {:02x} 00 {:04x}"
CP = "00 00 000c 01 000000 {:04x} 0000"

ERRORS = {
    1: "UNSUPPORTED_CRITICAL_PAYLOAD",
    4: "INVALID_IKE_SPI",
    5: "INVALID_MAJOR_VERSION",
    7: "INVALID_SYNTAX",
    9: "INVALID_MESSAGE_ID",
    11: "INVALID_SPI",
    14: "NO_PROPOSAL_CHOSEN",
    17: "INVALID_KE_PAYLOAD",
    24: "AUTHENTICATION_FAILED",
    34: "SINGLE_PAIR_REQUIRED",
    35: "NO_ADDITIONAL_SAS",
    36: "INTERNAL_ADDRESS_FAILURE",
    37: "FAILED_CP_REQUIRED",
    38: "TS_UNACCEPTABLE",
    39: "INVALID_SELECTORS",
    43: "TEMPORARY_FAILURE",
    44: "CHILD_SA_NOT_FOUND",
}
STATUSES = {
    16384: "INITIAL_CONTACT",
    16385: "SET_WINDOW_SIZE",
    16386: "ADDITIONAL_TS_POSSIBLE",
    16387: "IPCOMP_SUPPORTED",
    16388: "NAT_DETECTION_SOURCE_IP",
    16389: "NAT_DETECTION_DESTINATION_IP",
    16390: "COOKIE",
    16391: "USE_TRANSPORT_MODE",
    16392: "HTTP_CERT_LOOKUP_SUPPORTED",
    16393: "REKEY_SA",
    16394: "ESP_TFC_PADDING_NOT_SUPPORTED",
    16395: "NON_FIRST_FRAGMENTS_ALSO",
}
ATTRIBUTES = {
    1: "INTERNAL_IP4_ADDRESS",
    2: "INTERNAL_IP4_NETMASK",
    3: "INTERNAL_IP4_DNS",
    4: "INTERNAL_IP4_NBNS",
    6: "INTERNAL_IP4_DHCP",
    7: "APPLICATION_VERSION",
    8: "INTERNAL_IP6_ADDRESS",
    10: "INTERNAL_IP6_DNS",
    12: "INTERNAL_IP6_DHCP",
    13: "INTERNAL_IP4_SUBNET",
    14: "SUPPORTED_ATTRIBUTES",
    15: "INTERNAL_IP6_SUBNET",
}
ENCRYPTION = {
    1: "DES_IV64",
    2: "DES",
    3: "3DES",
    4: "RC5",
    5: "IDEA",
    6: "CAST",
    7: "BLOWFISH",
    8: "3IDEA",
    9: "DES_IV32",
    11: "NULL",
    12: "AES_CBC",
    13: "AES_CTR",
}
GROUPS = {
    0: "NONE",
    1: "MODP_768",
    2: "MODP_1024",
    5: "MODP_1536",
    14: "MODP_2048",
    15: "MODP_3072",
    16: "MODP_4096",
    17: "MODP_6144",
    18: "MODP_8192",
}
INTEGRITY = {0: "NONE", 1: "HMAC_MD5_96", 2: "HMAC_SHA1_96", 3: "DES_MAC", 4: "KPDK_MD5", 5: "AES_XCBC_96"}


def transforms(kind: int) -> str:
    """A transform of that type, the ID left open."""
    return TRANSFORM.replace("{:02x}", f"{kind:02x}")


TABLES: tuple[tuple[str, int, str, str, dict[int, str]], ...] = (
    (
        "7296-3.3.1-09",
        33,
        "00 00 0018 00 00 0014 01 {:02x} 04 01 deadbeef 00 00 0008 01 00 0014",
        "Protocol ID",
        {2: "AH", 3: "ESP"},
    ),
    (
        "7296-3.3.1-09",
        33,
        TRANSFORM.replace("01 00 01 00 00 0008 {:02x} 00 {:04x}", "00 01 00 00 0008 01 00 0014").replace(
            "0010 01", "0010 01 {:02x}"
        ),
        "Protocol ID",
        {1: "IKE"},
    ),
    (
        "7296-3.3.2-07",
        33,
        TRANSFORM.replace("{:04x}", "0005"),
        "Transform Type",
        {1: "ENCR", 2: "PRF", 3: "INTEG", 4: "KE", 5: "SN"},
    ),
    ("7296-3.3.2-09", 33, transforms(1), "Transform ID", ENCRYPTION),
    ("7296-3.3.2-10", 33, transforms(2), "Transform ID", {1: "HMAC_MD5", 2: "HMAC_SHA1", 3: "HMAC_TIGER"}),
    ("7296-3.3.2-11", 33, transforms(3), "Transform ID", INTEGRITY),
    ("7296-3.3.2-12", 33, transforms(4), "Transform ID", GROUPS),
    ("7296-3.3.2-15", 33, transforms(5), "Transform ID", {0: "NO_ESN", 1: "ESN"}),
    (
        "7296-3.3.5-04",
        33,
        "00 00 0018 00 00 0014 01 01 00 01 00 00 000c 01 00 000c 80{:02x} 0100",
        "Attribute Type",
        {14: "KEY_LENGTH"},
    ),
    (
        "7296-3.5-07",
        35,
        "00 00 000c {:02x} 000000 0a000001",
        "ID Type",
        {1: "IPV4_ADDR", 2: "FQDN", 3: "RFC822_ADDR", 9: "DER_ASN1_DN", 10: "DER_ASN1_GN", 11: "KEY_ID"},
    ),
    ("7296-3.5-07", 35, "00 00 0018 {:02x} 000000" + "00" * 16, "ID Type", {5: "IPV6_ADDR"}),
    (
        "7296-3.6-04",
        37,
        "00 00 0008 {:02x} 308203",
        "Cert Encoding",
        {4: "X509_SIGNATURE", 7: "CRL", 11: "RAW_RSA_KEY", 12: "HASH_AND_URL_X509", 13: "HASH_AND_URL_BUNDLE"},
    ),
    (
        "7296-3.8-02",
        39,
        "00 00 000a {:02x} 000000 c0de",
        "Auth Method",
        {1: "RSA_SIGNATURE", 2: "SHARED_KEY", 3: "DSS_SIGNATURE"},
    ),
    ("7296-3.10.1-06", 41, NOTIFY, "Notify Message Type", ERRORS),
    ("7296-3.10.1-14", 41, NOTIFY, "Notify Message Type", {n: name for n, name in STATUSES.items() if n != 16390}),
    ("7296-3.10.1-14", 41, "00 00 000a 00 00 {:04x} c0de", "Notify Message Type", {16390: "COOKIE"}),
    (
        "7296-3.13.1-11",
        44,
        "00 00 0018 01 000000 {:02x} 06 0010 0000 ffff 0a000000 0a0000ff",
        "TS Type",
        {7: "IPV4_ADDR_RANGE"},
    ),
    (
        "7296-3.13.1-11",
        44,
        "00 00 0030 01 000000 {:02x} 06 0028 0000 ffff" + "20010db8" + "00" * 12 + "20010db8" + "ff" * 12,
        "TS Type",
        {8: "IPV6_ADDR_RANGE"},
    ),
    ("7296-3.15-02", 47, "00 00 0008 {:02x} 000000", "CFG Type", {1: "REQUEST", 2: "REPLY", 3: "SET", 4: "ACK"}),
    ("7296-3.15.1-04", 47, CP, "Attribute Type", ATTRIBUTES),
    ("7296-3.16-02", 48, "00 00 0009 {:02x} 09 0005 01", "Code", {1: "REQUEST", 2: "RESPONSE"}),
    ("7296-3.16-02", 48, "00 00 0008 {:02x} 09 0004", "Code", {3: "SUCCESS", 4: "FAILURE"}),
    ("7427-4-05", 41, "00 00 000a 00 00 {:04x} 0002", "Notify Message Type", {16431: "SIGNATURE_HASH_ALGORITHMS"}),
    ("7383-2.3-04", 41, NOTIFY, "Notify Message Type", {16430: "IKEV2_FRAGMENTATION_SUPPORTED"}),
    ("6023-4-03", 41, NOTIFY, "Notify Message Type", {16418: "CHILDLESS_IKEV2_SUPPORTED"}),
)
"""Requirement, payload type, body, field and names."""


def shown(kind: int, body: str, field: str) -> str:
    """The name in the first field of that kind."""
    for each in wire.fields(datagram(kind, body)):
        if each.path.rsplit(".", 1)[-1] == field:
            return each.text.partition("(")[2].partition(")")[0]
    raise AssertionError(f"there is no field {field}")


@pytest.mark.parametrize("id", dict.fromkeys(table[0] for table in TABLES))
def test_numbers_have_these_names(id: str) -> None:
    for _, kind, body, field, names in (table for table in TABLES if table[0] == id):
        for number, name in names.items():
            assert shown(kind, body.format(number), field) == name
            assert shown(kind, body.format(number + 1), field) != name


EXCHANGES = {34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL"}


def test_exchange_types_have_these_names() -> None:
    """7296-3.1-19."""
    header = datagram(0, "")
    for number, name in EXCHANGES.items():
        for octet, said in ((number, True), (number + 1, False)):
            octets = header[:18] + bytes((octet,)) + header[19:]
            (text,) = [each.text for each in wire.fields(octets) if each.path == "Header.Exchange Type"]
            assert (text == f"{number} ({name})") is said


def test_lengths_of_configuration_attributes() -> None:
    """7296-3.15.1-04: an attribute of another length than the table says is not taken for one; two have any."""
    ends = Pair(1).establish()
    turn = Turn(ends.sessions(A)[0], ends.now, ends.ends[A].environment)
    for kind, size in {1: 4, 2: 4, 3: 4, 4: 4, 6: 4, 8: 17, 10: 16, 12: 16, 13: 8, 15: 17}.items():
        assert configuration._is_valid(turn, CfgAttr(kind, bytes(size)))
        for other in (size - 1, size + 1):
            assert not configuration._is_valid(turn, CfgAttr(kind, bytes(other)))
    for kind in (7, 14):
        assert all(configuration._is_valid(turn, CfgAttr(kind, bytes(size))) for size in (0, 1, 4, 40))
    for kind in (5, 9, 11, 999):
        assert not configuration._is_valid(turn, CfgAttr(kind, bytes(4)))
