"""A running simulator as a test sees it: its address, its key, and its control plane."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from kiebatch.model import JSON
from kiebatch.simulator import Settings
from kiebatch.simulator.server import background

# Stills in 3 to 28 ms, clips in 14 to 78 ms; pictures an eighth as wide; no limits unless a test sets some.
FAST: Mapping[str, JSON] = {
    "speed": 4000.0,
    "starts": 0,
    "balance": 10_000.0,
    "pixels": 0.125,
    "unknown_models": False,
}


class Sim:
    """One simulator on a loopback port.  What it holds is forgotten between tests."""

    def __init__(self, running: background.Background) -> None:
        self.url = running.url
        self.key = running.key
        self.pid = running.pid
        self.headers = {"Authorization": f"Bearer {self.key}"}
        self._http = httpx.Client(base_url=self.url, verify=False)

    def charges(self) -> list[dict[str, Any]]:
        """Return every charge in order: task_id, family, model, input, credits, time, refunded."""
        return list(self._get("ledger"))

    def tasks(self) -> list[dict[str, Any]]:
        return list(self._get("tasks"))

    def stats(self) -> dict[str, Any]:
        """Return counters: requests and refusals by kind, charged, key_leaks, unknown_fields, struck faults."""
        return dict(self._get("stats"))

    def fault(self, text: str | None = None, **fault: JSON) -> None:
        """Set a fault: `sim.fault("submit@3=html:502+after")`, or by the fields of `simulator.Fault`."""
        self._post("faults", text if text is not None else fault)

    def storm(self, strength: float = 1.0) -> None:
        self._post("storm", {"strength": strength})

    def clear_faults(self) -> None:
        self._post("faults/clear", {})

    def change(self, **settings: JSON) -> None:
        """Change settings of the running simulator, see `simulator.Settings`."""
        self._post("settings", settings)

    def reset(self, **settings: JSON) -> None:
        """Forget everything; with other settings if given."""
        self._post("reset", settings)

    def expire_links(self, *, uploads: bool = False) -> None:
        """End the result links that work now."""
        self._post("expire", {"uploads": uploads})

    def spend_elsewhere(self, credits: float) -> None:
        """Let somebody else spend credits of the account."""
        self._post("elsewhere", {"credits": credits})

    @property
    def balance(self) -> float:
        return float(self._get("balance")["balance"])

    @balance.setter
    def balance(self, credits: float) -> None:
        self._post("balance", {"balance": credits})

    def client(self) -> httpx.Client:
        """Return a plain HTTP client with the right key."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=10, verify=False)

    def close(self) -> None:
        self._http.close()

    def _get(self, what: str) -> Any:
        reply = self._http.get(f"/_sim/{what}")
        reply.raise_for_status()
        return reply.json()

    def _post(self, what: str, body: JSON) -> Any:
        reply = self._http.post(f"/_sim/{what}", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()


def start(**settings: JSON) -> background.Background:
    """Start a simulator with fast settings on a free loopback port; see `simulator.Settings` for what can be set."""
    return background.start(Settings.quick(**{**FAST, **settings}))


def environment(sim: Sim, state: Path) -> dict[str, str]:
    """Return the variables with which every command and `load` talk to a simulator, and keep off the user's own state."""
    return {
        "KIE_API_KEY": sim.key,
        "KIE_BASE_URL": sim.url,
        "KIE_UPLOAD_URL": "",
        "KIEBATCH_SPEED": f"{FAST['speed']:g}",
        "KIEBATCH_STATE_HOME": str(state / "state"),
        "KIEBATCH_CONFIG_HOME": str(state / "config"),
    }
