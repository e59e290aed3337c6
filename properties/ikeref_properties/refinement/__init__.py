"""The real code's steps in the model's words, and the model's verdict on each."""

from ikeref_properties.refinement.observer import Observer, Verdict

__all__ = ["Observer", "Verdict"]
