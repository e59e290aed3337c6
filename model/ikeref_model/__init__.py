"""IKEv2's session layer as rows: one table, many readers (RFC 7296). It knows nothing of any implementation."""
