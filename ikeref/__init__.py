"""ikeref: IKEv2 (RFC 7296) to execute, prove and test against."""

__version__ = "0.1.0"
