"""Any implementation of IKEv2 tested against the model behind a small adapter, with ikeref as its peer.

What an adapter needs is here; docs/adapter.md explains it.
"""

from ikeref_properties.adapter.campaign import Setup
from ikeref_properties.adapter.conforms import conforms
from ikeref_properties.adapter.implementation import (
    Address,
    Ask,
    ChildView,
    Command,
    Implementation,
    Unsupported,
    View,
)

__all__ = ["Address", "Ask", "ChildView", "Command", "Implementation", "Setup", "Unsupported", "View", "conforms"]
