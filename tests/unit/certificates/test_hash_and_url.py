"""Certificates by hash and URL between two ends; the network that they are fetched from is the test (Section 3.6)."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha1

import pytest
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import A, B, Flight, Pair, Record

from ikeref import sa
from ikeref.crypto import bundles
from ikeref.crypto.bundles import Bundle
from ikeref.policy import lookup
from ikeref.policy.connections import Settings
from ikeref.registry import CertEncoding, NotifyType
from ikeref.sa import authentication, certification
from ikeref.sa.certification import Fetched
from ikeref.wire import CERT, N
from tests.unit.certificates import scene
from tests.unit.certificates.making import crl
from tests.unit.certificates.scene import BELOW, LEAVES, ROOT, own, trust
from tests.unit.eap import scene as eap_scene

HOST = "certs.example:80"
URLS = ("http://certs.example/leaf.der", "http://certs.example/below.der")
BUNDLE_URL = "http://certs.example/chain.bundle"
LEAF = LEAVES[A]
OBJECTS = {
    URLS[0]: LEAF.der,
    URLS[1]: BELOW.der,
    BUNDLE_URL: bundles.build(Bundle((LEAF.der, BELOW.der), ())),
}
LOOKING = trust(ROOT, lookup_hosts=(HOST,))
Web = Callable[[str], Fetched]


def web(url: str) -> Fetched:
    octets = OBJECTS.get(url, b"")
    return Fetched(b"", url, octets, "" if octets else "the server says 404")


def fetches(ends: Pair, end: str) -> list[sa.Fetch]:
    told = [output for each in ends.records if each.end == end for output in each.outputs]
    return [each for each in told if isinstance(each, sa.Fetch)]


def serve(ends: Pair, end: str, source: Web = web, *, done: int = 0) -> None:
    """Answer the lookups of an end but the first `done`, and deliver what follows."""
    for what in fetches(ends, end)[done:]:
        answer = source(what.url)._replace(spi=what.spi)
        ends._step(end, answer, lambda answer=answer: ends.ends[end].fetched(answer, ends.now))  # type: ignore[arg-type,misc]
    ends.deliver_all()


def run(source: Web = web, end: str = A, **changes: object) -> Pair:
    """`end` shows its certificates by URL, the other end looks them up."""
    other = B if end == A else A
    names = {"a_local_auth": own(LEAF, BELOW, urls=URLS), "b_remote_auth": LOOKING}
    if end == B:
        served = own(LEAVES[B], BELOW, urls=URLS)
        names = {"b_local_auth": served, "a_remote_auth": LOOKING}
    ends = scene.run(**{**names, **changes})
    serve(ends, other, source)
    return ends


@pytest.mark.parametrize("end", [A, B])
def test_s3_6_certificates_are_looked_up_by_hash_and_url(end: str) -> None:
    """7296-3.6-02, 7296-3.6-08, 7296-3.6-11, 7296-3.6-14, 7296-3.7-11: in either role."""
    served = {**OBJECTS, URLS[0]: LEAVES[end].der}
    ends = run(lambda url: Fetched(b"", url, served[url]), end)
    assert scene.is_up(ends)
    shown = scene.certs(ends, end)
    assert [each.encoding for each in shown] == [CertEncoding.HASH_AND_URL_X509] * 2
    digest = sha1(LEAVES[end].der, usedforsecurity=False).digest()
    assert shown[0].data == digest + URLS[0].encode()
    other = B if end == A else A
    assert [each.url for each in fetches(ends, other)] == list(URLS)
    assert not fetches(ends, end)


def test_s3_6_a_bundle_holds_the_chain_and_its_crls() -> None:
    """7296-3.6-09, 7296-3.6-11."""
    crls = (crl(BELOW), crl(ROOT))
    served = bundles.build(Bundle((LEAF.der, BELOW.der), crls))
    shown = own(LEAF, BELOW, bundle_url=BUNDLE_URL, crls=crls)
    strict = trust(ROOT, lookup_hosts=(HOST,), revocation="require")
    ends = run(lambda url: Fetched(b"", url, served), a_local_auth=shown, b_remote_auth=strict)
    assert scene.is_up(ends)
    (payload,) = scene.certs(ends, A)
    assert payload.encoding == CertEncoding.HASH_AND_URL_BUNDLE


def test_s3_6_off_by_default_nothing_is_announced_and_nothing_fetched() -> None:
    """Neither by who could show URLs, nor for a peer that shows them unasked."""
    ends = scene.run(a_local_auth=own(LEAF, BELOW, urls=URLS))
    assert scene.is_up(ends)
    assert {each.encoding for each in scene.certs(ends, A)} == {CertEncoding.X509_SIGNATURE}
    announced = [p for m in scene.messages(ends, A) + scene.messages(ends, B, 34) for p in m.payloads if type(p) is N]
    assert NotifyType.HTTP_CERT_LOOKUP_SUPPORTED not in [each.type for each in announced]


def unasked(monkeypatch: pytest.MonkeyPatch, *payloads: CERT, **changes: object) -> Pair:
    monkeypatch.setattr(certification, "show", lambda *_: payloads)
    return scene.run(**changes)


def by_url(octets: bytes, url: str, encoding: int = CertEncoding.HASH_AND_URL_X509) -> CERT:
    return CERT(encoding, lookup.hash_and_url(octets, url))


def test_s3_6_urls_that_nobody_asked_for_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = unasked(monkeypatch, by_url(LEAF.der, URLS[0]))
    assert not scene.is_up(ends)
    assert not fetches(ends, B)
    assert "of no host that lookups are allowed from" in scene.said(ends, B)


EVIL = (
    "http://evil.example/leaf.der",
    "http://certs.example:8080/leaf.der",
    "http://certs.example@evil.example/leaf.der",
    "http://evil.example\\@certs.example/leaf.der",
    "http://certs.example.evil.example/",
    "https://certs.example/leaf.der",
    "ftp://certs.example/leaf.der",
    "file:///etc/passwd",
    "//certs.example/leaf.der",
    "certs.example/leaf.der",
    "http:///leaf.der",
    "http://[::1/leaf.der",
    "http://certs.example:notaport/",
    "http://certs.example/\r\nHost: evil.example",
    "http://certs.example/a b",
    "",
    "http://certs.example/" + "a" * 3000,
)


@pytest.mark.parametrize("url", EVIL, ids=[each[:40] for each in EVIL])
def test_s3_6_only_http_and_only_the_hosts_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-3.6-15; CVE-2022-40617: the peer is not authenticated yet."""
    digest = sha1(LEAF.der, usedforsecurity=False).digest()
    payload = CERT(CertEncoding.HASH_AND_URL_X509, digest + url.encode())
    ends = unasked(monkeypatch, payload, b_remote_auth=LOOKING)
    assert not fetches(ends, B)
    assert not scene.is_up(ends)


def test_s3_6_hosts_compare_without_regard_to_case_and_with_their_port() -> None:
    assert lookup.host_of("http://CERTS.example/x") == lookup.host("Certs.Example") == HOST
    assert lookup.host_of("http://certs.example:8080/") == lookup.host("certs.example:8080")
    assert lookup.host("[2001:db8::1]") == "[2001:db8::1]:80"
    for wrong in ("", "a/b", "user@host", "host:0x50", "a b"):
        with pytest.raises(ValueError, match=r".+"):
            lookup.host(wrong)


FAILURES: dict[str, Web] = {
    "not found": lambda url: Fetched(b"", url, fault="the server says 404"),
    "another object": lambda url: Fetched(b"", url, OBJECTS[URLS[1]]),
    "a bit changed": lambda url: Fetched(b"", url, OBJECTS[url][:-1] + b"\0"),
    "more behind it": lambda url: Fetched(b"", url, OBJECTS[url] + b"\0"),
    "too large": lambda url: Fetched(b"", url, bytes(lookup.MAX_OBJECT_OCTETS + 1)),
    "empty": lambda url: Fetched(b"", url, b""),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_s3_6_a_lookup_that_fails_fails_authentication_and_says_why(kind: str) -> None:
    """The hash is checked before the octets are parsed."""
    ends = run(FAILURES[kind])
    assert not scene.is_up(ends)
    (answer,) = scene.messages(ends, B)
    assert answer.payloads == (N(NotifyType.AUTHENTICATION_FAILED),)
    assert URLS[0] in scene.said(ends, B)


def test_s3_6_octets_of_the_right_hash_that_are_no_certificate_are_no_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    junk = b"\x30\x03\xa2\x01\x30"
    for encoding in (CertEncoding.HASH_AND_URL_X509, CertEncoding.HASH_AND_URL_BUNDLE):
        ends = unasked(monkeypatch, by_url(junk, URLS[0], encoding), b_remote_auth=LOOKING)
        serve(ends, B, lambda url: Fetched(b"", url, junk))
        assert not scene.is_up(ends)
        assert scene.messages(ends, B)[0].payloads == (N(NotifyType.AUTHENTICATION_FAILED),)


def test_s3_6_lookups_of_one_peer_are_few_and_each_url_is_fetched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [by_url(LEAF.der, f"{URLS[0]}?{index % 12}") for index in range(15)]
    ends = unasked(monkeypatch, *many, b_remote_auth=LOOKING)
    assert len(fetches(ends, B)) == lookup.MAX_LOOKUPS
    serve(ends, B, lambda url: Fetched(b"", url, fault="no"))
    assert len(fetches(ends, B)) == lookup.MAX_LOOKUPS
    assert not scene.is_up(ends)


def test_s3_6_while_a_message_waits_its_retransmissions_change_nothing() -> None:
    """At the responder: one lookup, one answer; and the answer is replayed afterwards (Section 2.1)."""
    ends = scene.run(a_local_auth=own(LEAF, BELOW, urls=URLS), b_remote_auth=LOOKING)
    assert len(fetches(ends, B)) == 2
    for _ in range(3):
        ends.advance()
        ends.deliver_all()
    assert len(fetches(ends, B)) == 2
    assert "are being looked up" in scene.said(ends, B)
    assert not scene.messages(ends, B)
    serve(ends, B)
    assert scene.is_up(ends)
    assert len(scene.messages(ends, B)) == 1


def test_s3_6_an_initiator_that_waits_does_not_ask_again_at_once() -> None:
    ends = scene.run(b_local_auth=own(LEAVES[B], BELOW, urls=URLS), a_remote_auth=LOOKING)
    sent = len(ends.past)
    assert len(fetches(ends, A)) == 2
    ends.now += Settings().retransmit_initial_seconds * 3
    ends.tick()
    assert len(ends.past) == sent
    served = {**OBJECTS, URLS[0]: LEAVES[B].der}
    serve(ends, A, lambda url: Fetched(b"", url, served[url]))
    assert scene.is_up(ends)


@pytest.mark.parametrize("end", [A, B])
def test_s3_6_a_lookup_that_never_ends_holds_nothing_for_ever(end: str) -> None:
    """The half-open IKE SA expires, the initiator gives up; a late answer finds nobody."""
    if end == B:
        ends = scene.run(a_local_auth=own(LEAF, BELOW, urls=URLS), b_remote_auth=LOOKING)
    else:
        ends = scene.run(b_local_auth=own(LEAVES[B], BELOW, urls=URLS), a_remote_auth=LOOKING)
    for _ in range(60):
        ends.advance()
        for flight in tuple(ends.flying):
            ends.lose(flight)
    assert not ends.ends[end].sessions
    late = fetches(ends, end)[0]
    assert ends.ends[end].fetched(Fetched(late.spi, late.url, LEAF.der), ends.now) == ()


def test_s3_6_answers_that_nobody_asked_for_change_nothing() -> None:
    ends = scene.run(a_local_auth=own(LEAF, BELOW, urls=URLS), b_remote_auth=LOOKING)
    (what, _), before = fetches(ends, B), dict(ends.ends[B].sessions)
    for answer in (Fetched(what.spi, "http://other.example/", b"x"), Fetched(b"\1" * 8, what.url, b"x")):
        ends.ends[B].fetched(answer, ends.now)
        assert ends.ends[B].sessions == before
    assert ends.ends[B].fetched(Fetched(what.spi, what.url, LEAF.der), ends.now) == ()
    (dropped,) = ends.ends[B].fetched(Fetched(what.spi, what.url, LEAF.der), ends.now)
    assert isinstance(dropped, sa.Audit)


def test_s3_6_an_unprotected_or_unauthentic_message_fetches_nothing() -> None:
    """Lookups are for IKE_AUTH under the keys of the IKE SA: one bit changed, and nothing happens."""
    ends = Pair(5, connections=scene.connections(a_local_auth=own(LEAF, BELOW, urls=URLS), b_remote_auth=LOOKING))
    ends.initiate(A)
    while not scene.messages(ends, A):
        ends.deliver(ends.flying[0])
    flight = ends.flying[0]
    octets = flight.datagram[:-1] + bytes([flight.datagram[-1] ^ 1])
    ends.deliver(flight._replace(datagram=octets), keep=True)
    assert not fetches(ends, B)
    ends.deliver_all()
    assert len(fetches(ends, B)) == 2


class Delayed:
    """Judges a life by the rows, where a message that waits for lookups counts as one that arrives when they are done,
    and what comes meanwhile as lost."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._waiting: Flight | None = None
        self.waited = 0

    def __call__(self, record: Record) -> None:
        event: object = record.event
        if any(isinstance(output, sa.Fetch) for output in record.outputs):
            assert isinstance(event, Flight)
            self._waiting = event
        elif isinstance(event, Fetched):
            if record.outputs:
                assert self._waiting is not None
                self._judge(record._replace(event=self._waiting))
                self._waiting, self.waited = None, self.waited + 1
        elif self._waiting is None or not isinstance(event, Flight) or event.to != self._waiting.to:
            self._judge(record)


@pytest.mark.parametrize("end", [A, B])
@pytest.mark.parametrize("source", [web, lambda url: Fetched(b"", url, fault="no")], ids=["found", "not found"])
def test_s3_6_a_lookup_is_a_delay_and_nothing_else(end: str, source: Web) -> None:
    """By every row of the session layer, at either end, with retransmissions meanwhile."""
    other = B if end == A else A
    shown = own(LEAVES[end], BELOW, urls=URLS)
    served = {**OBJECTS, URLS[0]: LEAVES[end].der}
    changes = {f"{end.lower()}_local_auth": shown, f"{other.lower()}_remote_auth": LOOKING}
    watch = Delayed(Judge())
    ends = Pair(5, connections=scene.connections(**changes), watch=watch)
    ends.initiate(A)
    ends.deliver_all()
    for _ in range(2):
        ends.advance()
        ends.deliver_all()
    serve(ends, other, lambda url: source(url)._replace(octets=served[url] if source is web else b""))
    assert watch.waited == 1
    assert scene.is_up(ends) == (source is web)
    if source is web:
        ends.command(A, sa.RekeyIke())
        ends.deliver_all()
        assert scene.is_up(ends)


def test_a_wrong_answer_after_a_lookup_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: once the lookups are done the request is answered with nothing in it."""
    made = scene.connections(a_local_auth=own(LEAF, BELOW, urls=URLS), b_remote_auth=LOOKING)
    ends = Pair(5, connections=made, watch=Delayed(Judge()))
    ends.initiate(A)
    ends.deliver_all()
    monkeypatch.setattr(authentication, "respond", lambda *_: authentication.Reply())
    with pytest.raises(AssertionError, match=r"auth\.request"):
        serve(ends, B)


def test_s2_16_the_responder_of_eap_may_show_its_certificate_by_url() -> None:
    """The initiator waits before its first EAP response."""
    made = eap_scene.connections(eap_scene.peer(eap_scene.MSCHAPV2), eap_scene.server(eap_scene.MSCHAPV2))
    made[B] = replace(made[B], local_auth=own(LEAVES[B], BELOW, urls=URLS))
    made[A] = replace(made[A], remote_auth=LOOKING)
    ends = Pair(5, connections=made)
    ends.initiate(A)
    ends.deliver_all()
    assert [each.url for each in fetches(ends, A)] == list(URLS)
    served = {**OBJECTS, URLS[0]: LEAVES[B].der}
    serve(ends, A, lambda url: Fetched(b"", url, served[url]))
    # Without CERTREQ and the notification nothing but X.509 would have come.
    assert scene.is_up(ends)


def test_s3_6_bundles_are_read_as_written_and_nothing_else() -> None:
    """7296-3.6-09: SEQUENCE OF CHOICE { [0] Certificate, [1] CertificateList }, tags explicit."""
    made = Bundle((LEAF.der, BELOW.der), (crl(BELOW),))
    octets = bundles.build(made)
    assert bundles.parse(octets) == made
    assert bundles.parse(b"\x30\x00") == Bundle((), ())
    for tag, one in ((b"\xa0", Bundle((b"\x30\x00",), ())), (b"\xa1", Bundle((), (b"\x30\x00",)))):
        assert bundles.parse(b"\x30\x04" + tag + b"\x02\x30\x00") == one
        assert bundles.build(one) == b"\x30\x04" + tag + b"\x02\x30\x00"
    for wrong in (b"", octets + b"\0", octets[:-1], LEAF.der, b"\x30\x04\xa2\x02\x30\x00", b"\x30\x04\x80\x02\x30\x00"):
        with pytest.raises(ValueError, match=r".+"):
            bundles.parse(wrong)
