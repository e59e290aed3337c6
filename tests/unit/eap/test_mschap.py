"""The published vectors of MS-CHAP-V2: RFC 2759 section 9.2 and 9.3, RFC 3079 section 3.5.3."""

import pytest

from ikeref.eap import mschap

USER = b"User"
AUTHENTICATOR = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
HASH = mschap.nt_password_hash("clientPass")
RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")


def test_rfc2759_9_2_hashes() -> None:
    assert HASH.hex() == "44ebba8d5312b8d611474411f56989ae"
    assert mschap.hash_nt_password_hash(HASH).hex() == "41c00c584bd2d91c4017a2a12fa59f3f"
    assert mschap.challenge_hash(PEER, AUTHENTICATOR, USER).hex() == "d02e4386bce91226"


def test_rfc2759_9_2_responses() -> None:
    assert mschap.nt_response(AUTHENTICATOR, PEER, USER, HASH) == RESPONSE
    proof = mschap.authenticator_response(HASH, RESPONSE, PEER, AUTHENTICATOR, USER)
    assert proof == b"S=407A5589115FD0D6209F510FE9C04566932CDA56"


@pytest.mark.parametrize(
    ("raw", "key"), [("FC156AF7EDCD6C", "FD0B5B5E7F6E34D9"), ("0EDDE3337D427F", "0E6E796737EA08FE")]
)
def test_rfc2759_9_3_des_keys_have_odd_parity(raw: str, key: str) -> None:
    assert mschap.nt_password_hash("MyPw").hex().upper() == "FC156AF7EDCD6C0EDDE3337D427F4EAC"
    assert mschap.des_key(bytes.fromhex(raw)) == bytes.fromhex(key)


def test_rfc3079_3_5_3_keys() -> None:
    master = mschap.master_key(HASH, RESPONSE)
    assert master.hex().upper() == "FDECE3717A8C838CB388E527AE3CDD31"
    sent_by_server = mschap.start_key(master, client_sends=False)
    assert sent_by_server.hex().upper() == "8B7CDC149B993A1BA118CB153F56DCCB"


def test_the_msk_is_both_keys_and_zeros() -> None:
    master = mschap.master_key(HASH, RESPONSE)
    msk = mschap.msk(HASH, RESPONSE)
    assert len(msk) == 64
    assert msk == mschap.start_key(master, client_sends=True) + mschap.start_key(master, client_sends=False) + bytes(32)
