"""Octets explained: what stands in a datagram, a file or a capture, and what is wrong with it."""
