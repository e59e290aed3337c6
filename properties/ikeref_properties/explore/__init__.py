"""Every state of two real ends within bounds: exploration of the shipped code (Sections 2.1 to 2.3, 2.8, 2.25)."""
