"""Seeded faults: what must be found by the properties. A property that finds none is decoration."""
