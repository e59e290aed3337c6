"""The registries hold each number once, under the word that RFC 7296 or IANA gives it."""

from enum import IntEnum

import pytest

from ikeref import registry
from ikeref.registry import Encr, KeGroup, NotifyType, PayloadType, TransformType, name, transform_registry

REGISTRIES = sorted(
    (
        value
        for value in vars(registry).values()
        if isinstance(value, type) and issubclass(value, IntEnum) and value is not IntEnum
    ),
    key=lambda which: which.__name__,
)

LITERAL = {
    "AttributeType": {14: "KEY_LENGTH", 18: "SIGNATURE_ALGORITHM_IDENTIFIER"},
    "AuthMethod": {
        1: "RSA_SIGNATURE",
        2: "SHARED_KEY",
        3: "DSS_SIGNATURE",
        9: "ECDSA_SHA_256_P_256",
        10: "ECDSA_SHA_384_P_384",
        11: "ECDSA_SHA_512_P_521",
        12: "GENERIC_SECURE_PASSWORD",
        13: "NULL",
        14: "DIGITAL_SIGNATURE",
    },
    "CfgType": {1: "REQUEST", 2: "REPLY", 3: "SET", 4: "ACK"},
    "EapCode": {1: "REQUEST", 2: "RESPONSE", 3: "SUCCESS", 4: "FAILURE"},
    "Esn": {0: "NO_ESN", 1: "ESN", 2: "UNSPECIFIED"},
    "GatewayIdType": {1: "IPV4", 2: "IPV6", 3: "FQDN"},
    "HashAlgorithm": {
        1: "SHA1",
        2: "SHA2_256",
        3: "SHA2_384",
        4: "SHA2_512",
        5: "IDENTITY",
        6: "STREEBOG_256",
        7: "STREEBOG_512",
    },
    "IdType": {
        1: "IPV4_ADDR",
        2: "FQDN",
        3: "RFC822_ADDR",
        5: "IPV6_ADDR",
        9: "DER_ASN1_DN",
        10: "DER_ASN1_GN",
        11: "KEY_ID",
        12: "FC_NAME",
        13: "NULL",
    },
    "Integ": {
        0: "NONE",
        1: "HMAC_MD5_96",
        2: "HMAC_SHA1_96",
        3: "DES_MAC",
        4: "KPDK_MD5",
        5: "AES_XCBC_96",
        6: "HMAC_MD5_128",
        7: "HMAC_SHA1_160",
        8: "AES_CMAC_96",
        9: "AES_128_GMAC",
        10: "AES_192_GMAC",
        11: "AES_256_GMAC",
        12: "HMAC_SHA2_256_128",
        13: "HMAC_SHA2_384_192",
        14: "HMAC_SHA2_512_256",
    },
    "IpcompTransform": {1: "OUI", 2: "DEFLATE", 3: "LZS", 4: "LZJH"},
    "Prf": {
        1: "HMAC_MD5",
        2: "HMAC_SHA1",
        3: "HMAC_TIGER",
        4: "AES128_XCBC",
        5: "HMAC_SHA2_256",
        6: "HMAC_SHA2_384",
        7: "HMAC_SHA2_512",
        8: "AES128_CMAC",
        9: "HMAC_STREEBOG_512",
    },
    "ProtocolId": {
        0: "NONE",
        1: "IKE",
        2: "AH",
        3: "ESP",
        4: "FC_ESP_HEADER",
        5: "FC_CT_AUTHENTICATION",
        6: "GIKE_UPDATE",
    },
    "TsType": {7: "IPV4_ADDR_RANGE", 8: "IPV6_ADDR_RANGE", 9: "FC_ADDR_RANGE", 10: "SECLABEL"},
}

RUNS = {
    "CertEncoding": {
        1: "PKCS7_WRAPPED_X509 PGP DNS_SIGNED_KEY X509_SIGNATURE",
        6: "KERBEROS_TOKEN CRL ARL SPKI X509_ATTRIBUTE RAW_RSA_KEY HASH_AND_URL_X509 HASH_AND_URL_BUNDLE OCSP_CONTENT "
        "RAW_PUBLIC_KEY",
    },
    "CfgAttribute": {
        1: "INTERNAL_IP4_ADDRESS INTERNAL_IP4_NETMASK INTERNAL_IP4_DNS INTERNAL_IP4_NBNS",
        6: "INTERNAL_IP4_DHCP APPLICATION_VERSION INTERNAL_IP6_ADDRESS",
        10: "INTERNAL_IP6_DNS",
        12: "INTERNAL_IP6_DHCP INTERNAL_IP4_SUBNET SUPPORTED_ATTRIBUTES INTERNAL_IP6_SUBNET MIP6_HOME_PREFIX "
        "INTERNAL_IP6_LINK INTERNAL_IP6_PREFIX HOME_AGENT_ADDRESS P_CSCF_IP4_ADDRESS P_CSCF_IP6_ADDRESS FTT_KAT "
        "EXTERNAL_SOURCE_IP4_NAT_INFO TIMEOUT_PERIOD_FOR_LIVENESS_CHECK INTERNAL_DNS_DOMAIN INTERNAL_DNSSEC_TA "
        "ENCDNS_IP4 ENCDNS_IP6 ENCDNS_DIGEST_INFO",
    },
    "EapType": {
        1: "IDENTITY NOTIFICATION NAK MD5_CHALLENGE OTP GTC",
        13: "TLS",
        18: "SIM",
        21: "TTLS",
        23: "AKA",
        25: "PEAP MSCHAPV2",
        50: "AKA_PRIME",
        52: "PWD",
        254: "EXPANDED",
    },
    "Encr": {
        1: "DES_IV64 DES TRIPLE_DES RC5 IDEA CAST BLOWFISH TRIPLE_IDEA DES_IV32",
        11: "NULL AES_CBC AES_CTR AES_CCM_8 AES_CCM_12 AES_CCM_16",
        18: "AES_GCM_8 AES_GCM_12 AES_GCM_16 NULL_AUTH_AES_GMAC",
        23: "CAMELLIA_CBC CAMELLIA_CTR CAMELLIA_CCM_8 CAMELLIA_CCM_12 CAMELLIA_CCM_16 CHACHA20_POLY1305 AES_CCM_8_IIV "
        "AES_GCM_16_IIV CHACHA20_POLY1305_IIV KUZNYECHIK_MGM_KTREE MAGMA_MGM_KTREE KUZNYECHIK_MGM_MAC_KTREE "
        "MAGMA_MGM_MAC_KTREE",
    },
    "ExchangeType": {
        34: "IKE_SA_INIT IKE_AUTH CREATE_CHILD_SA INFORMATIONAL IKE_SESSION_RESUME GSA_AUTH GSA_REGISTRATION GSA_REKEY "
        "GSA_INBAND_REKEY IKE_INTERMEDIATE IKE_FOLLOWUP_KE",
    },
    "KeGroup": {
        0: "NONE MODP_768 MODP_1024",
        5: "MODP_1536",
        14: "MODP_2048 MODP_3072 MODP_4096 MODP_6144 MODP_8192 ECP_256 ECP_384 ECP_521 MODP_1024_160 MODP_2048_224 "
        "MODP_2048_256 ECP_192 ECP_224 BRAINPOOL_P224R1 BRAINPOOL_P256R1 BRAINPOOL_P384R1 BRAINPOOL_P512R1 CURVE25519 "
        "CURVE448 GOST3410_2012_256 GOST3410_2012_512 ML_KEM_512 ML_KEM_768 ML_KEM_1024",
    },
    "NotifyType": {
        1: "UNSUPPORTED_CRITICAL_PAYLOAD",
        4: "INVALID_IKE_SPI INVALID_MAJOR_VERSION",
        7: "INVALID_SYNTAX",
        9: "INVALID_MESSAGE_ID",
        11: "INVALID_SPI",
        14: "NO_PROPOSAL_CHOSEN",
        17: "INVALID_KE_PAYLOAD",
        24: "AUTHENTICATION_FAILED",
        34: "SINGLE_PAIR_REQUIRED NO_ADDITIONAL_SAS INTERNAL_ADDRESS_FAILURE FAILED_CP_REQUIRED TS_UNACCEPTABLE "
        "INVALID_SELECTORS UNACCEPTABLE_ADDRESSES UNEXPECTED_NAT_DETECTED USE_ASSIGNED_HoA TEMPORARY_FAILURE "
        "CHILD_SA_NOT_FOUND INVALID_GROUP_ID AUTHORIZATION_FAILED STATE_NOT_FOUND TS_MAX_QUEUE REGISTRATION_FAILED",
        16384: "INITIAL_CONTACT SET_WINDOW_SIZE ADDITIONAL_TS_POSSIBLE IPCOMP_SUPPORTED NAT_DETECTION_SOURCE_IP "
        "NAT_DETECTION_DESTINATION_IP COOKIE USE_TRANSPORT_MODE HTTP_CERT_LOOKUP_SUPPORTED REKEY_SA "
        "ESP_TFC_PADDING_NOT_SUPPORTED NON_FIRST_FRAGMENTS_ALSO MOBIKE_SUPPORTED ADDITIONAL_IP4_ADDRESS "
        "ADDITIONAL_IP6_ADDRESS NO_ADDITIONAL_ADDRESSES UPDATE_SA_ADDRESSES COOKIE2 NO_NATS_ALLOWED AUTH_LIFETIME "
        "MULTIPLE_AUTH_SUPPORTED ANOTHER_AUTH_FOLLOWS REDIRECT_SUPPORTED REDIRECT REDIRECTED_FROM TICKET_LT_OPAQUE "
        "TICKET_REQUEST TICKET_ACK TICKET_NACK TICKET_OPAQUE LINK_ID USE_WESP_MODE ROHC_SUPPORTED "
        "EAP_ONLY_AUTHENTICATION CHILDLESS_IKEV2_SUPPORTED QUICK_CRASH_DETECTION IKEV2_MESSAGE_ID_SYNC_SUPPORTED "
        "IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED IKEV2_MESSAGE_ID_SYNC IPSEC_REPLAY_COUNTER_SYNC SECURE_PASSWORD_METHODS "
        "PSK_PERSIST PSK_CONFIRM ERX_SUPPORTED IFOM_CAPABILITY GROUP_SENDER IKEV2_FRAGMENTATION_SUPPORTED "
        "SIGNATURE_HASH_ALGORITHMS CLONE_IKE_SA_SUPPORTED CLONE_IKE_SA PUZZLE USE_PPK PPK_IDENTITY NO_PPK_AUTH "
        "INTERMEDIATE_EXCHANGE_SUPPORTED IP4_ALLOWED IP6_ALLOWED ADDITIONAL_KEY_EXCHANGE USE_AGGFRAG "
        "SUPPORTED_AUTH_METHODS SA_RESOURCE_INFO USE_PPK_INT PPK_IDENTITY_KEY",
    },
    "PayloadType": {
        0: "NONE",
        33: "SA KE IDi IDr CERT CERTREQ AUTH NONCE N D V TSi TSr SK CP EAP GSPM IDg GSA KD SKF PS",
    },
    "TransformType": {
        1: "ENCR PRF INTEG KE SN ADDKE1 ADDKE2 ADDKE3 ADDKE4 ADDKE5 ADDKE6 ADDKE7 KWA GCAUTH",
    },
}
"""First number of a run, and the names from there on."""


def _literal(which: str) -> dict[int, str]:
    if which in LITERAL:
        return LITERAL[which]
    return {start + step: word for start, run in RUNS[which].items() for step, word in enumerate(run.split())}


def test_every_registry_has_a_literal_list() -> None:
    assert {which.__name__ for which in REGISTRIES} == LITERAL.keys() | RUNS.keys()


@pytest.mark.parametrize("which", REGISTRIES, ids=lambda which: which.__name__)
def test_s3_numbers_and_names_are_those_of_the_literal_list(which: type[IntEnum]) -> None:
    assert {member.value: member.name for member in which} == _literal(which.__name__)


@pytest.mark.parametrize("which", REGISTRIES, ids=lambda which: which.__name__)
def test_no_number_has_two_names_but_the_renamed_ones(which: type[IntEnum]) -> None:
    """A name given twice to one number by mistake would hide as an alias of the first."""
    aliases = {word: member.name for word, member in which.__members__.items() if word != member.name}
    renamed = {"DH": "KE", "ESN": "SN"} if which is TransformType else {}
    assert aliases == renamed


def test_a_number_of_no_registry_is_its_own_name() -> None:
    assert name(Encr, 20) == "AES_GCM_16"
    assert name(Encr, 1025) == "1025"
    assert name(Encr, 3) == "3DES"
    assert name(PayloadType, 53) == "SKF"


def test_s3_10_1_errors_are_below_16384() -> None:
    assert NotifyType.REGISTRATION_FAILED < registry.ERROR_LIMIT
    assert int(NotifyType.INITIAL_CONTACT) == registry.ERROR_LIMIT


def test_s3_3_2_each_transform_type_has_its_registry() -> None:
    assert [transform_registry(kind) for kind in (1, 4, 6, 12)] == [Encr, KeGroup, KeGroup, KeGroup]
    assert transform_registry(13) is None
    assert transform_registry(240) is None
