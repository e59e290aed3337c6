"""Faults on the rows, made by rule: each guard, update, answer, actor, side, source and destination once.

`python -m ikeref_properties.rowmutants` judges them all and writes docs/mutants_rows.md. Faults that need a story
stand in `ikeref_properties.mutants_rows`.
"""
