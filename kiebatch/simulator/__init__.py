"""A local server that speaks every family's wire format and makes real media."""

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.simulator.faults import Fault as Fault
    from kiebatch.simulator.faults import Faults as Faults
    from kiebatch.simulator.faults import storm as storm
    from kiebatch.simulator.server.application import application as application
    from kiebatch.simulator.settings import KEY as KEY
    from kiebatch.simulator.settings import Settings as Settings
    from kiebatch.simulator.state import Charge as Charge
    from kiebatch.simulator.state import Simulator as Simulator
    from kiebatch.simulator.state import Task as Task
    from kiebatch.simulator.wire import Cut as Cut

__getattr__, __dir__ = face(
    __name__,
    {
        "Charge": "state",
        "Cut": "wire",
        "Fault": "faults",
        "Faults": "faults",
        "KEY": "settings",
        "Settings": "settings",
        "Simulator": "state",
        "Task": "state",
        "application": "server.application",
        "storm": "faults",
    },
)
