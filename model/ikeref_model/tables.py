"""All tables, in reading order."""

from ikeref_model.child import CHILD
from ikeref_model.collisions import COLLISIONS
from ikeref_model.eap import EAP
from ikeref_model.ike_initiator import INITIATOR
from ikeref_model.ike_rekey import IKE_LIFE
from ikeref_model.ike_responder import RESPONDER
from ikeref_model.lifetimes import LIFETIMES
from ikeref_model.relaxed import RELAXED
from ikeref_model.rows import Row
from ikeref_model.window import WINDOW

TABLES: dict[str, tuple[Row, ...]] = {
    "ike_initiator": INITIATOR,
    "ike_responder": RESPONDER,
    "eap": EAP,
    "child": CHILD,
    "ike_rekey": IKE_LIFE,
    "lifetimes": LIFETIMES,
    "collisions": COLLISIONS,
    "window": WINDOW,
}
ROWS: tuple[Row, ...] = tuple(row for table in TABLES.values() for row in table)
"""The rows that the proofs are about, and that our own implementation follows."""
ALLOWED: tuple[Row, ...] = ROWS + RELAXED
"""The rows that a foreign implementation may follow."""
BY_NAME: dict[str, Row] = {row.name: row for row in ALLOWED}
