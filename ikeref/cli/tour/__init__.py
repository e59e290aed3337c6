"""The whole life of an IKE SA between two real endpoints over loopback UDP, told message by message and judged."""
