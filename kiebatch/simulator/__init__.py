"""A local server that speaks every family's wire format and makes real media."""

from kiebatch.simulator.faults import Fault, Faults, storm
from kiebatch.simulator.server.application import application
from kiebatch.simulator.settings import KEY, Settings
from kiebatch.simulator.state import Charge, Simulator, Task
from kiebatch.simulator.wire import Cut

__all__ = ["KEY", "Charge", "Cut", "Fault", "Faults", "Settings", "Simulator", "Task", "application", "storm"]
