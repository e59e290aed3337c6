"""The protocol: IKE SAs and Child SAs as values, and the step from one to the next (Sections 1 and 2).

`initiate` and `respond` begin a session, `step` advances it; all three are functions of values.
`ikeref.endpoint` keeps many sessions.
"""

from ikeref.policy.attributes import Internal
from ikeref.sa.certification import Fetched
from ikeref.sa.environment import Environment
from ikeref.sa.initial import initiate, replay, respond
from ikeref.sa.options import Ipcomp, Options
from ikeref.sa.outputs import (
    Audit,
    Closed,
    Configured,
    Established,
    Failed,
    Fetch,
    InitialContact,
    Install,
    Moved,
    NewKeys,
    Output,
    Received,
    Remove,
    Replayed,
    Step,
    Transmit,
    Unconfigured,
)
from ikeref.sa.step import Datagram, Heard, Input, Tick, abandon, step
from ikeref.sa.timers import deadline
from ikeref.sa.values import (
    AnnounceWindow,
    AskConfiguration,
    CheckLiveness,
    ChildSa,
    ChildState,
    Command,
    CreateChild,
    DeleteChild,
    DeleteIke,
    IkeSa,
    Path,
    Phase,
    RekeyChild,
    RekeyIke,
    Session,
    TellInvalidSpi,
)

__all__ = [
    "AnnounceWindow",
    "AskConfiguration",
    "Audit",
    "CheckLiveness",
    "ChildSa",
    "ChildState",
    "Closed",
    "Command",
    "Configured",
    "CreateChild",
    "Datagram",
    "DeleteChild",
    "DeleteIke",
    "Environment",
    "Established",
    "Failed",
    "Fetch",
    "Fetched",
    "Heard",
    "IkeSa",
    "InitialContact",
    "Input",
    "Install",
    "Internal",
    "Ipcomp",
    "Moved",
    "NewKeys",
    "Options",
    "Output",
    "Path",
    "Phase",
    "Received",
    "RekeyChild",
    "RekeyIke",
    "Remove",
    "Replayed",
    "Session",
    "Step",
    "TellInvalidSpi",
    "Tick",
    "Transmit",
    "Unconfigured",
    "abandon",
    "deadline",
    "initiate",
    "replay",
    "respond",
    "step",
]
