"""The IANA registries "Internet Key Exchange Version 2 (IKEv2) Parameters" as enumerations.

Values on the wire stay plain integers: a number that no registry knows is still a number, and an `IntEnum` member
compares equal to its own. `name` gives the word for a person. Members are spelled as RFC 7296 and IANA spell them,
without the prefix that the name of the registry already says (ENCR_AES_CBC is `Encr.AES_CBC`).

Numbers marked "unspecified" have a name and no meaning: Section 3.3.2 reserves them.
"""

from enum import IntEnum
from typing import Final


class ExchangeType(IntEnum):
    """What a message is part of (Section 3.1)."""

    IKE_SA_INIT = 34
    IKE_AUTH = 35
    CREATE_CHILD_SA = 36
    INFORMATIONAL = 37
    IKE_SESSION_RESUME = 38  # RFC 5723
    GSA_AUTH = 39  # RFC 9838
    GSA_REGISTRATION = 40  # RFC 9838
    GSA_REKEY = 41  # RFC 9838
    GSA_INBAND_REKEY = 42  # RFC 9838
    IKE_INTERMEDIATE = 43  # RFC 9242
    IKE_FOLLOWUP_KE = 44  # RFC 9370


class PayloadType(IntEnum):
    """What follows: the Next Payload field (Section 3.2). RFC 7296 calls 40 Ni or Nr."""

    NONE = 0
    SA = 33
    KE = 34
    IDi = 35
    IDr = 36
    CERT = 37
    CERTREQ = 38
    AUTH = 39
    NONCE = 40
    N = 41
    D = 42
    V = 43
    TSi = 44
    TSr = 45
    SK = 46
    CP = 47
    EAP = 48
    GSPM = 49  # RFC 6467
    IDg = 50  # RFC 9838
    GSA = 51  # RFC 9838
    KD = 52  # RFC 9838
    SKF = 53  # RFC 7383
    PS = 54  # RFC 8019


class ProtocolId(IntEnum):
    """Whose SA an SPI names (Section 3.3.1)."""

    NONE = 0  # where no SPI is named: Section 3.10
    IKE = 1
    AH = 2
    ESP = 3
    FC_ESP_HEADER = 4  # RFC 4595
    FC_CT_AUTHENTICATION = 5  # RFC 4595
    GIKE_UPDATE = 6  # RFC 9838


class TransformType(IntEnum):
    """What a transform decides (Section 3.3.2). RFC 9370 renamed D-H to KE, RFC 9827 renamed ESN to SN."""

    ENCR = 1
    PRF = 2
    INTEG = 3
    KE = 4  # "Key Exchange Method", formerly Diffie-Hellman Group
    SN = 5  # "Sequence Numbers", formerly Extended Sequence Numbers
    ADDKE1 = 6  # RFC 9370
    ADDKE2 = 7
    ADDKE3 = 8
    ADDKE4 = 9
    ADDKE5 = 10
    ADDKE6 = 11
    ADDKE7 = 12
    KWA = 13  # RFC 9838
    GCAUTH = 14  # RFC 9838
    DH = KE
    ESN = SN


class Encr(IntEnum):
    """Transform type 1, encryption algorithms (Section 3.3.2)."""

    DES_IV64 = 1  # unspecified
    DES = 2
    TRIPLE_DES = 3
    RC5 = 4
    IDEA = 5
    CAST = 6
    BLOWFISH = 7
    TRIPLE_IDEA = 8  # unspecified
    DES_IV32 = 9  # unspecified
    NULL = 11
    AES_CBC = 12
    AES_CTR = 13
    AES_CCM_8 = 14  # RFC 5282 for IKE, RFC 4309 for ESP
    AES_CCM_12 = 15
    AES_CCM_16 = 16
    AES_GCM_8 = 18  # RFC 5282 for IKE, RFC 4106 for ESP
    AES_GCM_12 = 19
    AES_GCM_16 = 20
    NULL_AUTH_AES_GMAC = 21  # RFC 4543, ESP only
    CAMELLIA_CBC = 23  # RFC 5529
    CAMELLIA_CTR = 24
    CAMELLIA_CCM_8 = 25
    CAMELLIA_CCM_12 = 26
    CAMELLIA_CCM_16 = 27
    CHACHA20_POLY1305 = 28  # RFC 7634
    AES_CCM_8_IIV = 29  # RFC 8750, ESP only
    AES_GCM_16_IIV = 30
    CHACHA20_POLY1305_IIV = 31
    KUZNYECHIK_MGM_KTREE = 32  # RFC 9227
    MAGMA_MGM_KTREE = 33
    KUZNYECHIK_MGM_MAC_KTREE = 34
    MAGMA_MGM_MAC_KTREE = 35


class Prf(IntEnum):
    """Transform type 2, pseudorandom functions (Section 3.3.2)."""

    HMAC_MD5 = 1
    HMAC_SHA1 = 2
    HMAC_TIGER = 3  # unspecified
    AES128_XCBC = 4  # RFC 4434
    HMAC_SHA2_256 = 5  # RFC 4868
    HMAC_SHA2_384 = 6
    HMAC_SHA2_512 = 7
    AES128_CMAC = 8  # RFC 4615
    HMAC_STREEBOG_512 = 9  # RFC 9385


class Integ(IntEnum):
    """Transform type 3, integrity algorithms (Section 3.3.2)."""

    NONE = 0
    HMAC_MD5_96 = 1
    HMAC_SHA1_96 = 2
    DES_MAC = 3  # unspecified
    KPDK_MD5 = 4  # unspecified
    AES_XCBC_96 = 5
    HMAC_MD5_128 = 6  # RFC 4595
    HMAC_SHA1_160 = 7  # RFC 4595
    AES_CMAC_96 = 8  # RFC 4494
    AES_128_GMAC = 9  # RFC 4543, AH only
    AES_192_GMAC = 10
    AES_256_GMAC = 11
    HMAC_SHA2_256_128 = 12  # RFC 4868
    HMAC_SHA2_384_192 = 13
    HMAC_SHA2_512_256 = 14


class KeGroup(IntEnum):
    """Transform types 4 and 6 to 12, key exchange methods (Section 3.3.2); also the first field of KE."""

    NONE = 0
    MODP_768 = 1
    MODP_1024 = 2
    MODP_1536 = 5
    MODP_2048 = 14
    MODP_3072 = 15
    MODP_4096 = 16
    MODP_6144 = 17
    MODP_8192 = 18
    ECP_256 = 19  # RFC 5903
    ECP_384 = 20
    ECP_521 = 21
    MODP_1024_160 = 22  # RFC 5114
    MODP_2048_224 = 23
    MODP_2048_256 = 24
    ECP_192 = 25
    ECP_224 = 26
    BRAINPOOL_P224R1 = 27  # RFC 6954
    BRAINPOOL_P256R1 = 28
    BRAINPOOL_P384R1 = 29
    BRAINPOOL_P512R1 = 30
    CURVE25519 = 31  # RFC 8031
    CURVE448 = 32
    GOST3410_2012_256 = 33  # RFC 9385
    GOST3410_2012_512 = 34
    ML_KEM_512 = 35
    ML_KEM_768 = 36
    ML_KEM_1024 = 37


class Esn(IntEnum):
    """Transform type 5, sequence numbers (Section 3.3.2), named by RFC 9827 after what is sent."""

    NO_ESN = 0  # "32-bit Sequential Numbers"
    ESN = 1  # "Partially Transmitted 64-bit Sequential Numbers"
    UNSPECIFIED = 2  # "32-bit Unspecified Numbers", RFC 9827


class AttributeType(IntEnum):
    """Transform attributes (Section 3.3.5)."""

    KEY_LENGTH = 14  # in bits, TV form
    SIGNATURE_ALGORITHM_IDENTIFIER = 18  # RFC 9838


class IdType(IntEnum):
    """What kind of name an ID payload holds (Section 3.5)."""

    IPV4_ADDR = 1
    FQDN = 2
    RFC822_ADDR = 3
    IPV6_ADDR = 5
    DER_ASN1_DN = 9
    DER_ASN1_GN = 10
    KEY_ID = 11
    FC_NAME = 12  # RFC 4595
    NULL = 13  # RFC 7619


class AuthMethod(IntEnum):
    """How AUTH was made (Section 3.8)."""

    RSA_SIGNATURE = 1
    SHARED_KEY = 2
    DSS_SIGNATURE = 3
    ECDSA_SHA_256_P_256 = 9  # RFC 4754
    ECDSA_SHA_384_P_384 = 10
    ECDSA_SHA_512_P_521 = 11
    GENERIC_SECURE_PASSWORD = 12  # RFC 6467
    NULL = 13  # RFC 7619
    DIGITAL_SIGNATURE = 14  # RFC 7427


class HashAlgorithm(IntEnum):
    """Hash functions in SIGNATURE_HASH_ALGORITHMS (RFC 7427 section 4)."""

    SHA1 = 1
    SHA2_256 = 2
    SHA2_384 = 3
    SHA2_512 = 4
    IDENTITY = 5  # RFC 8420
    STREEBOG_256 = 6  # RFC 9385
    STREEBOG_512 = 7


class CertEncoding(IntEnum):
    """What CERT and CERTREQ hold (Section 3.6)."""

    PKCS7_WRAPPED_X509 = 1  # unspecified
    PGP = 2  # unspecified
    DNS_SIGNED_KEY = 3  # unspecified
    X509_SIGNATURE = 4
    KERBEROS_TOKEN = 6  # unspecified
    CRL = 7
    ARL = 8  # unspecified
    SPKI = 9  # unspecified
    X509_ATTRIBUTE = 10  # unspecified
    RAW_RSA_KEY = 11  # deprecated
    HASH_AND_URL_X509 = 12
    HASH_AND_URL_BUNDLE = 13
    OCSP_CONTENT = 14  # RFC 4806
    RAW_PUBLIC_KEY = 15  # RFC 7670


class CfgType(IntEnum):
    """What a Configuration payload wants (Section 3.15)."""

    REQUEST = 1
    REPLY = 2
    SET = 3
    ACK = 4


class CfgAttribute(IntEnum):
    """Configuration attributes (Section 3.15.1)."""

    INTERNAL_IP4_ADDRESS = 1
    INTERNAL_IP4_NETMASK = 2
    INTERNAL_IP4_DNS = 3
    INTERNAL_IP4_NBNS = 4
    INTERNAL_IP4_DHCP = 6
    APPLICATION_VERSION = 7
    INTERNAL_IP6_ADDRESS = 8
    INTERNAL_IP6_DNS = 10
    INTERNAL_IP6_DHCP = 12
    INTERNAL_IP4_SUBNET = 13
    SUPPORTED_ATTRIBUTES = 14
    INTERNAL_IP6_SUBNET = 15
    MIP6_HOME_PREFIX = 16  # RFC 5026
    INTERNAL_IP6_LINK = 17  # RFC 5739
    INTERNAL_IP6_PREFIX = 18
    HOME_AGENT_ADDRESS = 19  # 3GPP
    P_CSCF_IP4_ADDRESS = 20  # RFC 7651
    P_CSCF_IP6_ADDRESS = 21
    FTT_KAT = 22  # 3GPP
    EXTERNAL_SOURCE_IP4_NAT_INFO = 23  # 3GPP
    TIMEOUT_PERIOD_FOR_LIVENESS_CHECK = 24  # 3GPP
    INTERNAL_DNS_DOMAIN = 25  # RFC 8598
    INTERNAL_DNSSEC_TA = 26
    ENCDNS_IP4 = 27  # RFC 9464
    ENCDNS_IP6 = 28
    ENCDNS_DIGEST_INFO = 29


class TsType(IntEnum):
    """Kinds of traffic selector (Section 3.13.1)."""

    IPV4_ADDR_RANGE = 7
    IPV6_ADDR_RANGE = 8
    FC_ADDR_RANGE = 9  # RFC 4595
    SECLABEL = 10  # RFC 9478


class NotifyType(IntEnum):
    """Errors are 0 to 16383, statuses 16384 to 65535 (Section 3.10.1)."""

    UNSUPPORTED_CRITICAL_PAYLOAD = 1
    INVALID_IKE_SPI = 4
    INVALID_MAJOR_VERSION = 5
    INVALID_SYNTAX = 7
    INVALID_MESSAGE_ID = 9
    INVALID_SPI = 11
    NO_PROPOSAL_CHOSEN = 14
    INVALID_KE_PAYLOAD = 17
    AUTHENTICATION_FAILED = 24
    SINGLE_PAIR_REQUIRED = 34
    NO_ADDITIONAL_SAS = 35
    INTERNAL_ADDRESS_FAILURE = 36
    FAILED_CP_REQUIRED = 37
    TS_UNACCEPTABLE = 38
    INVALID_SELECTORS = 39
    UNACCEPTABLE_ADDRESSES = 40  # RFC 4555
    UNEXPECTED_NAT_DETECTED = 41  # RFC 4555
    USE_ASSIGNED_HoA = 42  # RFC 5026
    TEMPORARY_FAILURE = 43
    CHILD_SA_NOT_FOUND = 44
    INVALID_GROUP_ID = 45  # RFC 9838
    AUTHORIZATION_FAILED = 46  # RFC 9838
    STATE_NOT_FOUND = 47  # RFC 9370
    TS_MAX_QUEUE = 48  # RFC 9611
    REGISTRATION_FAILED = 49  # RFC 9838
    INITIAL_CONTACT = 16384
    SET_WINDOW_SIZE = 16385
    ADDITIONAL_TS_POSSIBLE = 16386
    IPCOMP_SUPPORTED = 16387
    NAT_DETECTION_SOURCE_IP = 16388
    NAT_DETECTION_DESTINATION_IP = 16389
    COOKIE = 16390
    USE_TRANSPORT_MODE = 16391
    HTTP_CERT_LOOKUP_SUPPORTED = 16392
    REKEY_SA = 16393
    ESP_TFC_PADDING_NOT_SUPPORTED = 16394
    NON_FIRST_FRAGMENTS_ALSO = 16395
    MOBIKE_SUPPORTED = 16396  # RFC 4555
    ADDITIONAL_IP4_ADDRESS = 16397
    ADDITIONAL_IP6_ADDRESS = 16398
    NO_ADDITIONAL_ADDRESSES = 16399
    UPDATE_SA_ADDRESSES = 16400
    COOKIE2 = 16401
    NO_NATS_ALLOWED = 16402
    AUTH_LIFETIME = 16403  # RFC 4478
    MULTIPLE_AUTH_SUPPORTED = 16404  # RFC 4739
    ANOTHER_AUTH_FOLLOWS = 16405
    REDIRECT_SUPPORTED = 16406  # RFC 5685
    REDIRECT = 16407
    REDIRECTED_FROM = 16408
    TICKET_LT_OPAQUE = 16409  # RFC 5723
    TICKET_REQUEST = 16410
    TICKET_ACK = 16411
    TICKET_NACK = 16412
    TICKET_OPAQUE = 16413
    LINK_ID = 16414  # RFC 5739
    USE_WESP_MODE = 16415  # RFC 5840
    ROHC_SUPPORTED = 16416  # RFC 5857
    EAP_ONLY_AUTHENTICATION = 16417  # RFC 5998
    CHILDLESS_IKEV2_SUPPORTED = 16418  # RFC 6023
    QUICK_CRASH_DETECTION = 16419  # RFC 6290
    IKEV2_MESSAGE_ID_SYNC_SUPPORTED = 16420  # RFC 6311
    IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED = 16421
    IKEV2_MESSAGE_ID_SYNC = 16422
    IPSEC_REPLAY_COUNTER_SYNC = 16423
    SECURE_PASSWORD_METHODS = 16424  # RFC 6467
    PSK_PERSIST = 16425  # RFC 6631
    PSK_CONFIRM = 16426
    ERX_SUPPORTED = 16427  # RFC 6867
    IFOM_CAPABILITY = 16428  # 3GPP
    GROUP_SENDER = 16429  # RFC 9838
    IKEV2_FRAGMENTATION_SUPPORTED = 16430  # RFC 7383
    SIGNATURE_HASH_ALGORITHMS = 16431  # RFC 7427
    CLONE_IKE_SA_SUPPORTED = 16432  # RFC 7791
    CLONE_IKE_SA = 16433
    PUZZLE = 16434  # RFC 8019
    USE_PPK = 16435  # RFC 8784
    PPK_IDENTITY = 16436
    NO_PPK_AUTH = 16437
    INTERMEDIATE_EXCHANGE_SUPPORTED = 16438  # RFC 9242
    IP4_ALLOWED = 16439  # RFC 8983
    IP6_ALLOWED = 16440
    ADDITIONAL_KEY_EXCHANGE = 16441  # RFC 9370
    USE_AGGFRAG = 16442  # RFC 9347
    SUPPORTED_AUTH_METHODS = 16443  # RFC 9593
    SA_RESOURCE_INFO = 16444  # RFC 9611
    USE_PPK_INT = 16445  # RFC 9867
    PPK_IDENTITY_KEY = 16446


class IpcompTransform(IntEnum):
    """IPComp transform IDs in IPCOMP_SUPPORTED (Section 3.10.1)."""

    OUI = 1  # unspecified
    DEFLATE = 2
    LZS = 3
    LZJH = 4


class EapCode(IntEnum):
    """What an EAP message is (Section 3.16, RFC 3748 section 4)."""

    REQUEST = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


class EapType(IntEnum):
    """EAP methods (Section 3.16, RFC 3748 section 5); a selection of the EAP registry."""

    IDENTITY = 1
    NOTIFICATION = 2
    NAK = 3
    MD5_CHALLENGE = 4
    OTP = 5
    GTC = 6
    TLS = 13
    SIM = 18
    TTLS = 21
    AKA = 23
    PEAP = 25
    MSCHAPV2 = 26
    AKA_PRIME = 50
    PWD = 52
    EXPANDED = 254


class GatewayIdType(IntEnum):
    """How REDIRECT names the new gateway (RFC 5685 section 5)."""

    IPV4 = 1
    IPV6 = 2
    FQDN = 3


_SPELLING: Final[dict[tuple[type[IntEnum], int], str]] = {
    (Encr, 3): "3DES",
    (Encr, 8): "3IDEA",
}
"""Names that a Python identifier can't bear."""

ERROR_LIMIT: Final = 16384
"""Notify types below this number report errors, the others a status (Section 3.10.1)."""


def name(registry: type[IntEnum], value: int) -> str:
    """The word for `value` ("AES_GCM_16"), or its digits ("1025") where the registry has none."""
    member = registry._value2member_map_.get(value)
    if member is None:
        return str(value)
    return _SPELLING.get((registry, value)) or registry(value).name


def transform_registry(transform_type: int) -> type[IntEnum] | None:
    """The registry of a transform type's IDs (Section 3.3.2), None where it is not known."""
    return _TRANSFORMS.get(transform_type)


_TRANSFORMS: Final[dict[int, type[IntEnum]]] = {
    TransformType.ENCR: Encr,
    TransformType.PRF: Prf,
    TransformType.INTEG: Integ,
    TransformType.KE: KeGroup,
    TransformType.SN: Esn,
    TransformType.ADDKE1: KeGroup,
    TransformType.ADDKE2: KeGroup,
    TransformType.ADDKE3: KeGroup,
    TransformType.ADDKE4: KeGroup,
    TransformType.ADDKE5: KeGroup,
    TransformType.ADDKE6: KeGroup,
    TransformType.ADDKE7: KeGroup,
}
