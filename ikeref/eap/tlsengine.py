"""TLS for EAP-TLS, by OpenSSL through pyOpenSSL: Python's own `ssl` exports no keying material (RFC 5216 section 2.3).

No socket: octets go in and come out. TLS 1.2 and 1.3; no resumption, no renegotiation.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from cryptography import x509
from OpenSSL import SSL, crypto

from ikeref.crypto import certificates
from ikeref.crypto.paths import UNREADABLE
from ikeref.errors import LocalProtocolError
from ikeref.policy.credentials import PrivateKey, Secret, TrustAnchors
from ikeref.policy.identities import Identity
from ikeref.registry import EapType, IdType

_EXPORTED_OCTETS: Final = 128
_MSK_OCTETS: Final = 64
_PROTECTED_SUCCESS: Final = b"\0"
"""The server's word that nothing follows, in TLS 1.3 (RFC 9190 section 2.1.1)."""

_OPTIONS: Final = SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_LEGACY_SERVER_CONNECT
"""A server of TLS 1.2 need not know secure renegotiation (RFC 5746), for nothing is ever renegotiated; strongSwan's
does not."""

_FAULTS: Final = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is signed by itself",
    19: "its authority is not ours",
    20: "its authority is not known",
    26: "it is not for this purpose",
}
"""OpenSSL's errors of verification that people see most."""


class Rules(NamedTuple):
    """What one end shows, and what it believes."""

    own: PrivateKey
    anchors: TrustAnchors
    other: Identity | None
    """Whom the other end's certificate must name; None: anybody."""
    now: datetime


class Engine:
    """One end of a TLS connection. Mutable."""

    def __init__(self, rules: Rules, *, server: bool) -> None:
        self.age = 0
        """Counts what was taken in."""
        self.fault = ""
        """Why TLS failed."""
        self.confirmed = False
        """The handshake is over, and the server has said so where TLS 1.3 wants it."""
        self._server = server
        self._handshaken = False
        self._connection = SSL.Connection(_context(rules, self), None)
        if server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()

    def take(self, octets: bytes, age: int) -> bytes:
        """Take in what the other end sent, and give what is to be sent to it. Raises LocalProtocolError unless `age` is
        how much was taken in before."""
        if age != self.age:
            raise LocalProtocolError("a TLS conversation can't be gone through twice", section="RFC 5216 2.1.1")
        self.age += 1
        if octets:
            self._connection.bio_write(octets)
        try:
            if not self._handshaken:
                self._connection.do_handshake()
                self._handshaken = True
                self._conclude()
            elif not self.confirmed:
                self._confirm()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.fault = self.fault or f"TLS failed: {_words(error)}"
        return self._drain()

    def _conclude(self) -> None:
        if self._connection.get_protocol_version_name() != "TLSv1.3":
            self.confirmed = True
        elif self._server:
            self._connection.send(_PROTECTED_SUCCESS)
            self.confirmed = True
        else:
            self._confirm()

    def _confirm(self) -> None:
        if self._connection.recv(_EXPORTED_OCTETS) != _PROTECTED_SUCCESS:
            self.fault = "data come where the server was to say that nothing follows"
        else:
            self.confirmed = True

    def _drain(self) -> bytes:
        parts = []
        while True:
            try:
                parts.append(self._connection.bio_read(65536))
            except SSL.WantReadError:
                return b"".join(parts)

    def msk(self) -> Secret:
        """The first 64 octets of what is exported (RFC 5216 section 2.3, RFC 9190 section 2.3)."""
        if self._connection.get_protocol_version_name() == "TLSv1.3":
            label, context = b"EXPORTER_EAP_TLS_Key_Material", bytes((EapType.TLS,))
            exported = self._connection.export_keying_material(label, _EXPORTED_OCTETS, context)
        else:
            exported = self._connection.export_keying_material(b"client EAP encryption", _EXPORTED_OCTETS)
        return Secret(exported[:_MSK_OCTETS])

    def certificate(self) -> x509.Certificate:
        """The other end's."""
        found = self._connection.get_peer_certificate(as_cryptography=True)
        assert found is not None
        return found

    def judge(self, certificate: x509.Certificate, error: int, depth: int, other: Identity | None) -> bool:
        """Whether a certificate of the other end is accepted, after OpenSSL's own verdict (0: nothing wrong)."""
        subject = subject_of(certificate)
        if error:
            why = _FAULTS.get(error, f"X.509 error {error}")
            self.fault = f"the certificate of {subject} is not accepted: {why}"
        elif not depth and other is not None and not certificates.matches(other, certificate):
            self.fault = f"the certificate of {subject} is not for {other}"
        return not self.fault


def _context(rules: Rules, engine: Engine) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    own, *intermediate = [x509.load_der_x509_certificate(der) for der in rules.own.chain]
    context.use_certificate(own)
    for each in intermediate:
        context.add_extra_chain_cert(each)
    context.use_privatekey(rules.own.key)
    store = context.get_cert_store()
    assert store is not None
    for anchor in rules.anchors.parsed():
        store.add_cert(crypto.X509.from_cryptography(anchor))
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    store.set_time(rules.now.astimezone(UTC))

    def verified(_connection: SSL.Connection, shown: crypto.X509, error: int, depth: int, ok: int) -> bool:
        try:
            return engine.judge(shown.to_cryptography(), 0 if ok else error, depth, rules.other)
        except UNREADABLE:
            engine.fault = "a certificate cannot be read"
            return False

    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verified)
    return context


def _words(error: SSL.Error) -> str:
    queue = error.args[0] if error.args else ()
    reasons = [entry[-1] for entry in queue if isinstance(entry, tuple)] if isinstance(queue, list) else []
    return ", ".join(reason for reason in reasons if reason) or type(error).__name__


def subject_of(certificate: x509.Certificate) -> Identity:
    """Whom a certificate is of."""
    return Identity(IdType.DER_ASN1_DN, certificate.subject.public_bytes())
