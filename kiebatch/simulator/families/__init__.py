"""One file per API family of the simulator: how the service answers on that wire."""
