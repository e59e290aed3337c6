"""Hypothesis strategies: well-formed values, and octets that are nearly so."""
