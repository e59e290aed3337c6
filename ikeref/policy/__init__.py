"""What is acceptable: proposals, traffic selectors, identities and credentials, and the configuration that says so.

`choice` decides on proposals and `selectors` narrows traffic selectors: pure functions on values. `proposals` is the
notation of proposals, `identities` that of identities; `connections` holds what an operator
says, `config` reads it from TOML.
"""
