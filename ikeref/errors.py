"""What can go wrong, whose fault it is, and which Notify says so (Sections 2.5, 2.21 and 3.10.1).

Three kinds, and only three:

* `LocalProtocolError`: the caller asked for what the protocol does not allow here. Nothing was sent or changed.
* `RemoteProtocolError`: the peer broke a rule. Each subclass bears the name of the Notify that reports it.
* `Dropped`: to be discarded in silence (a bad ICV, an unknown SPI, Section 2.21.4).
"""

from ikeref.registry import NotifyType


class ProtocolError(Exception):
    """A rule of the protocol was broken.

    `reason` is one line for a person; `section` is where the rule stands ("3.4", or "RFC 7383 2.5"); `offset` counts
    octets from the start of the message (-1 where no single place is to blame); `field` is the path of the field.
    None of them ever holds a secret.
    """

    def __init__(self, reason: str, *, section: str = "", offset: int = -1, field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.section = section
        self.offset = offset
        self.field = field

    def __str__(self) -> str:
        where = f" at octet {self.offset}" if self.offset >= 0 else ""
        what = f" ({self.field})" if self.field else ""
        rule = f" [{self._rule()}]" if self.section else ""
        return f"{self.reason}{where}{what}{rule}"

    def _rule(self) -> str:
        return self.section if self.section.startswith("RFC") else f"Section {self.section}"


class LocalProtocolError(ProtocolError):
    """The caller asked for what the protocol does not allow in this state."""


class Dropped(ProtocolError):
    """The input is discarded: no answer, no change of state."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule, or asked for what policy refuses; `notify` and `data` say so on the wire."""

    notify: NotifyType = NotifyType.INVALID_SYNTAX

    def __init__(
        self,
        reason: str,
        *,
        section: str = "",
        offset: int = -1,
        field: str = "",
        data: bytes = b"",
        detail: str = "",
    ) -> None:
        super().__init__(reason, section=section, offset=offset, field=field)
        self.data = data
        self.detail = detail
        """Further lines for the person at our end, never for the wire."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.detail}" if self.detail else super().__str__()


class InvalidSyntax(RemoteProtocolError):
    """A type, length or value is out of range (Section 3.10.1)."""


class UnsupportedCriticalPayload(RemoteProtocolError):
    """An unknown payload type had its Critical bit set; `data` is that type, one octet (Section 2.5)."""

    notify = NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD


class InvalidMajorVersion(RemoteProtocolError):
    """The major version is higher than ours (Section 2.5)."""

    notify = NotifyType.INVALID_MAJOR_VERSION


class NoProposalChosen(RemoteProtocolError):
    """None of the proposals is acceptable (Section 2.7)."""

    notify = NotifyType.NO_PROPOSAL_CHOSEN


class InvalidKePayload(RemoteProtocolError):
    """KE is of another group than the chosen one; `data` is the group wanted, two octets (Sections 1.2, 1.3)."""

    notify = NotifyType.INVALID_KE_PAYLOAD


class AuthenticationFailed(RemoteProtocolError):
    """The peer did not prove its identity (Section 2.21.2)."""

    notify = NotifyType.AUTHENTICATION_FAILED


class SinglePairRequired(RemoteProtocolError):
    """Only traffic selectors of a single pair of addresses are acceptable (Section 2.9)."""

    notify = NotifyType.SINGLE_PAIR_REQUIRED


class NoAdditionalSas(RemoteProtocolError):
    """No further Child SA is wanted on this IKE SA (Section 1.3)."""

    notify = NotifyType.NO_ADDITIONAL_SAS


class TsUnacceptable(RemoteProtocolError):
    """None of the traffic selectors is acceptable (Section 2.9)."""

    notify = NotifyType.TS_UNACCEPTABLE


class InternalAddressFailure(RemoteProtocolError):
    """No internal address could be assigned (Section 3.15.4)."""

    notify = NotifyType.INTERNAL_ADDRESS_FAILURE


class FailedCpRequired(RemoteProtocolError):
    """A Child SA was asked for without the CFG_REQUEST that policy demands (7296-2.19-11, 7296-2.19-13)."""

    notify = NotifyType.FAILED_CP_REQUIRED


class TemporaryFailure(RemoteProtocolError):
    """The request collides with something in progress; worth another try later (Section 2.25)."""

    notify = NotifyType.TEMPORARY_FAILURE
