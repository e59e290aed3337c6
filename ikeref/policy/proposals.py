"""Proposals in the notation that strongSwan users know: `aes256gcm16-prfsha256-x25519, aes128-sha256-modp2048`.

A comma ends a proposal; words of one transform type are alternatives, the first preferred. Where an IKE proposal names
no PRF it is derived from the integrity algorithms, and then a combined-mode cipher may stand beside one for that
purpose alone. Where an ESP or AH proposal says nothing of sequence numbers, it means `noesn`. `default` stands for our
defaults.
"""

from difflib import get_close_matches
from typing import Final, NamedTuple

from ikeref import registry
from ikeref.policy.choice import (
    check_policy,
    child_suite_of,
    choose,
    groups_of,
    is_aead,
    same,
    suite_of,
    verify_choice,
    weak,
    without_ke,
)
from ikeref.registry import AttributeType, Encr, Esn, Integ, KeGroup, Prf, ProtocolId, TransformType
from ikeref.wire import Attribute, Proposal, Transform

__all__ = [
    "DEFAULT_AH",
    "DEFAULT_ESP",
    "DEFAULT_IKE",
    "ProposalError",
    "child_suite_of",
    "choose",
    "format",
    "format_all",
    "groups_of",
    "parse",
    "suite_of",
    "verify_choice",
    "weak",
    "without_ke",
]


class ProposalError(ValueError):
    """A text is no proposal: says which proposal and word, why, and what would be known."""


class Word(NamedTuple):
    """A word of the notation; the first word of a transform is the one that `format` writes."""

    text: str
    kind: int
    id: int
    key_bits: int = 0

    def transform(self) -> Transform:
        """What the word stands for."""
        attributes = (Attribute(int(AttributeType.KEY_LENGTH), self.key_bits),) if self.key_bits else ()
        return Transform(int(self.kind), int(self.id), attributes)


def _aes(suffixes: tuple[str, ...], encr: Encr) -> tuple[Word, ...]:
    return tuple(
        Word(f"aes{bits}{suffix}", TransformType.ENCR, encr, bits) for suffix in suffixes for bits in (128, 192, 256)
    )


WORDS: Final[tuple[Word, ...]] = (
    *_aes(("",), Encr.AES_CBC),
    Word("aes", TransformType.ENCR, Encr.AES_CBC, 128),
    *_aes(("ctr",), Encr.AES_CTR),
    *_aes(("ccm8", "ccm64"), Encr.AES_CCM_8),
    *_aes(("ccm12", "ccm96"), Encr.AES_CCM_12),
    *_aes(("ccm16", "ccm128", "ccm"), Encr.AES_CCM_16),
    *_aes(("gcm8", "gcm64"), Encr.AES_GCM_8),
    *_aes(("gcm12", "gcm96"), Encr.AES_GCM_12),
    *_aes(("gcm16", "gcm128", "gcm"), Encr.AES_GCM_16),
    Word("chacha20poly1305", TransformType.ENCR, Encr.CHACHA20_POLY1305),
    Word("3des", TransformType.ENCR, Encr.TRIPLE_DES),
    Word("null", TransformType.ENCR, Encr.NULL),
    Word("sha1", TransformType.INTEG, Integ.HMAC_SHA1_96),
    Word("sha", TransformType.INTEG, Integ.HMAC_SHA1_96),
    Word("sha256", TransformType.INTEG, Integ.HMAC_SHA2_256_128),
    Word("sha2_256", TransformType.INTEG, Integ.HMAC_SHA2_256_128),
    Word("sha384", TransformType.INTEG, Integ.HMAC_SHA2_384_192),
    Word("sha2_384", TransformType.INTEG, Integ.HMAC_SHA2_384_192),
    Word("sha512", TransformType.INTEG, Integ.HMAC_SHA2_512_256),
    Word("sha2_512", TransformType.INTEG, Integ.HMAC_SHA2_512_256),
    Word("aesxcbc", TransformType.INTEG, Integ.AES_XCBC_96),
    Word("aescmac", TransformType.INTEG, Integ.AES_CMAC_96),
    Word("prfsha1", TransformType.PRF, Prf.HMAC_SHA1),
    Word("prfsha256", TransformType.PRF, Prf.HMAC_SHA2_256),
    Word("prfsha384", TransformType.PRF, Prf.HMAC_SHA2_384),
    Word("prfsha512", TransformType.PRF, Prf.HMAC_SHA2_512),
    Word("prfaesxcbc", TransformType.PRF, Prf.AES128_XCBC),
    Word("prfaescmac", TransformType.PRF, Prf.AES128_CMAC),
    Word("none", TransformType.KE, KeGroup.NONE),
    Word("modpnone", TransformType.KE, KeGroup.NONE),
    Word("modp1024", TransformType.KE, KeGroup.MODP_1024),
    Word("modp1536", TransformType.KE, KeGroup.MODP_1536),
    Word("modp2048", TransformType.KE, KeGroup.MODP_2048),
    Word("modp3072", TransformType.KE, KeGroup.MODP_3072),
    Word("modp4096", TransformType.KE, KeGroup.MODP_4096),
    Word("modp6144", TransformType.KE, KeGroup.MODP_6144),
    Word("modp8192", TransformType.KE, KeGroup.MODP_8192),
    Word("ecp256", TransformType.KE, KeGroup.ECP_256),
    Word("ecp384", TransformType.KE, KeGroup.ECP_384),
    Word("ecp521", TransformType.KE, KeGroup.ECP_521),
    Word("ecp256bp", TransformType.KE, KeGroup.BRAINPOOL_P256R1),
    Word("ecp384bp", TransformType.KE, KeGroup.BRAINPOOL_P384R1),
    Word("ecp512bp", TransformType.KE, KeGroup.BRAINPOOL_P512R1),
    Word("x25519", TransformType.KE, KeGroup.CURVE25519),
    Word("curve25519", TransformType.KE, KeGroup.CURVE25519),
    Word("x448", TransformType.KE, KeGroup.CURVE448),
    Word("curve448", TransformType.KE, KeGroup.CURVE448),
    Word("noesn", TransformType.SN, Esn.NO_ESN),
    Word("esn", TransformType.SN, Esn.ESN),
)

_BY_TEXT: Final = {word.text: word for word in WORDS}

_KINDS: Final = (
    (TransformType.ENCR, "ciphers"),
    (TransformType.INTEG, "integrity algorithms"),
    (TransformType.PRF, "pseudorandom functions"),
    (TransformType.KE, "key exchange methods"),
    (TransformType.SN, "sequence numbers"),
)

_PRF_OF: Final[dict[int, int]] = {
    Integ.HMAC_SHA1_96: Prf.HMAC_SHA1,
    Integ.HMAC_SHA2_256_128: Prf.HMAC_SHA2_256,
    Integ.HMAC_SHA2_384_192: Prf.HMAC_SHA2_384,
    Integ.HMAC_SHA2_512_256: Prf.HMAC_SHA2_512,
    Integ.AES_XCBC_96: Prf.AES128_XCBC,
    Integ.AES_CMAC_96: Prf.AES128_CMAC,
}

_NO_ESN: Final = Transform(int(TransformType.SN), int(Esn.NO_ESN))


def parse(text: str, protocol: int) -> tuple[Proposal, ...]:
    """The proposals that a text stands for, numbered from 1, without SPIs; transforms in the order of their types.

    Raises ProposalError.
    """
    proposals: list[Proposal] = []
    for index, part in enumerate(text.split(","), 1):
        if part.strip() == "default":
            found = (
                DEFAULT_IKE if protocol == ProtocolId.IKE else DEFAULT_ESP if protocol == ProtocolId.ESP else DEFAULT_AH
            )
        else:
            found = (_proposal(part.strip(), index, protocol),)
        proposals.extend(found)
    if len(proposals) > 255:
        raise ProposalError(f"{len(proposals)} proposals are more than an SA payload can number (255)")
    return tuple(proposal._replace(number=number) for number, proposal in enumerate(proposals, 1))


def _proposal(text: str, index: int, protocol: int) -> Proposal:
    where = f"proposal {index} ({text!r})"
    if not text:
        raise ProposalError(f"proposal {index} is empty; a comma stands between two proposals")
    by_kind: dict[int, list[Transform]] = {kind: [] for kind, _ in _KINDS}
    for place, part in enumerate(text.split("-"), 1):
        word = _BY_TEXT.get(part.strip().lower())
        if word is None:
            raise ProposalError(f"{where}, word {place} ({part!r}) is not known; {_hint(part.strip().lower())}")
        transform = word.transform()
        if transform in by_kind[word.kind]:
            raise ProposalError(f"{where}, word {place} ({part!r}) says again what stands before it")
        by_kind[word.kind].append(transform)
    aead = any(is_aead(transform.id) for transform in by_kind[TransformType.ENCR])
    if protocol == ProtocolId.IKE:
        if not by_kind[TransformType.PRF]:
            by_kind[TransformType.PRF] = [_prf(transform) for transform in by_kind[TransformType.INTEG]]
            if aead:
                by_kind[TransformType.INTEG] = []
        for kind, advice in (
            (TransformType.PRF, "a pseudorandom function, such as prfsha256"),
            (TransformType.KE, "a key exchange method, such as x25519"),
        ):
            if not by_kind[kind]:
                raise ProposalError(f"{where} lacks {advice}")
    elif not by_kind[TransformType.SN]:
        by_kind[TransformType.SN] = [_NO_ESN]
    proposal = Proposal(index, int(protocol), b"", tuple(t for kind in sorted(by_kind) for t in by_kind[kind]))
    try:
        check_policy(proposal)
    except ValueError as error:
        raise ProposalError(f"{where}: {error}") from None
    return proposal


def _prf(integ: Transform) -> Transform:
    return Transform(int(TransformType.PRF), int(_PRF_OF[integ.id]))


def _hint(part: str) -> str:
    """Words like this one, and all words of the type that it seems to be of."""
    close = get_close_matches(part, _BY_TEXT, n=3)
    if close:
        kind, title = next((kind, title) for kind, title in _KINDS if kind == _BY_TEXT[close[0]].kind)
        like = " or ".join(close)
        return f"did you mean {like}? {title} known: {_known(kind)}"
    return "known are " + "; ".join(f"{title}: {_known(kind)}" for kind, title in _KINDS)


def _known(kind: int) -> str:
    seen: list[Transform] = []
    texts = []
    for word in WORDS:
        if word.kind == kind and word.transform() not in seen:
            seen.append(word.transform())
            texts.append(word.text)
    return ", ".join(texts)


def format(proposal: Proposal) -> str:  # the built-in of this name is not used here
    """The shortest text for a proposal: `parse` turns it back into the same transforms, if it knows them all.

    A transform without a word is shown as TYPE:NAME, so every proposal that a peer may send has a text.
    """
    transforms = list(proposal.transforms)
    integs = [t for t in transforms if t.type == TransformType.INTEG]
    prfs = [t for t in transforms if t.type == TransformType.PRF]
    if prfs and [_PRF_OF.get(t.id) for t in integs] == [t.id for t in prfs]:
        transforms = [t for t in transforms if t.type != TransformType.PRF]
    numbers = [t for t in transforms if t.type == TransformType.SN]
    if len(numbers) == 1 and same(numbers[0], _NO_ESN):
        transforms.remove(numbers[0])
    order = [kind for kind, _ in _KINDS]
    transforms.sort(key=lambda t: order.index(TransformType(t.type)) if t.type in order else len(order))
    return "-".join(_word(t) for t in transforms)


def _word(transform: Transform) -> str:
    for word in WORDS:
        if same(word.transform(), transform):
            return word.text
    names = registry.transform_registry(transform.type)
    name = registry.name(names, transform.id) if names else str(transform.id)
    length = f"_{transform.key_length}" if transform.key_length is not None else ""
    return f"{registry.name(TransformType, transform.type)}:{name}{length}"


def format_all(proposals: tuple[Proposal, ...]) -> str:
    """All of them, separated by commas."""
    return ", ".join(format(proposal) for proposal in proposals)


DEFAULT_IKE: Final[tuple[Proposal, ...]] = parse(
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-modp3072-modp2048,"
    "aes256-aes128-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-modp3072-modp2048",
    ProtocolId.IKE,
)
"""What RFC 8247 recommends, nothing weak."""

DEFAULT_ESP: Final[tuple[Proposal, ...]] = parse(
    "aes256gcm16-aes128gcm16-chacha20poly1305-esn-noesn,aes256-aes128-sha256-sha384-sha512-esn-noesn", ProtocolId.ESP
)
"""What RFC 8221 recommends, nothing weak."""

DEFAULT_AH: Final[tuple[Proposal, ...]] = parse("sha256-sha384-sha512-esn-noesn", ProtocolId.AH)
"""What RFC 8221 recommends, nothing weak."""
