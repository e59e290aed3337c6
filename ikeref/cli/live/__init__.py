"""Endpoints that run until they are told to stop: `ikeref serve` and `ikeref connect`."""
