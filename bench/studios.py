"""Lives on virtual time whose ledger lies in PostgreSQL: of one person, and of several at once who make one film.

    python -m bench.studios --seeds 0-99 [--people 3]

Everything is as in `bench.lives`, and the database is a real one that goes by the life's clock.  People have a checkout
each: they run, are killed, resolve and come back while the others are at work, and every key is paid for once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

from bench import lives, postgres
from bench.lives import EPOCH, Broken, Life
from kiebatch.model import Asset, Attempt
from kiebatch.project import Opened
from kiebatch.team import Connection, Team, accounts

ACCOUNT = "studio"
LEASE_S = 600.0  # virtual time flies, and a sign of life is a write
RUNS = 4  # of one person, at most, before the weather clears


def joined(life: Life, url: str) -> Life:
    """Let a life that has begun go by a ledger of its own in a database."""
    own = postgres.new_schema(url)
    accounts.init(own, ACCOUNT, cap=None, lease_s=LEASE_S)
    # Whoever only reads, such as `plan`, goes by the environment.
    os.environ["KIEBATCH_TEAM"], os.environ["KIEBATCH_ACCOUNT"] = own, ACCOUNT
    life.team = Team(own, ACCOUNT, lambda: EPOCH + life.loop.time())
    return life


def checked(life: Life) -> None:
    """Check what the ledger says of the account: what is reserved is what is open."""
    assert life.team is not None
    connection = Connection(life.team.url)
    try:
        money = connection.transact(
            lambda cursor: cursor.execute(
                "SELECT a.reserved, coalesce((SELECT sum(t.price) FROM attempts t WHERE t.state IN"
                " ('claimed', 'intended', 'held', 'submitted', 'lost')), 0) AS open FROM accounts a"
            ).fetchone()
        )
    finally:
        connection.close()
    if money is None or money["reserved"] != money["open"]:
        raise Broken(f"reserved and open differ: {money}")


class Alone(Life):
    """A life of one person, by a ledger in PostgreSQL."""

    url = ""

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        super().begin(loop)
        joined(self, self.url)

    async def come_home(self, opened: Opened) -> None:
        await super().come_home(opened)
        checked(self)


class Person(Life):
    """One of several who make the same film, each in a folder of their own."""

    everybody: list[Person]
    working = True  # until everybody has put the work down

    def resolve_all(self, *, honest: bool) -> None:
        for person in [self] if self.working else self.everybody:
            Life.resolve_all(person, honest=honest)

    def attempts(self) -> list[Attempt]:
        return [attempt for person in self.everybody for attempt in Life.attempts(person)]

    def recorded(self) -> list[Asset]:
        return [asset for person in self.everybody for asset in Life.recorded(person)]


class Studio(Life):
    """A life of several people at once."""

    url = ""
    people = 3

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        super().begin(loop)
        joined(self, self.url)
        everybody: list[Person] = []
        for number in range(self.people):
            folder = self.folder / f"desk{number}"
            folder.mkdir()
            person = Person(self.seed, self.film, folder, self.sabotage, self.log)
            person.loop, person.sim, person.lot, person.team = self.loop, self.sim, self.lot, self.team
            person.words, person.submits, person.reads = self.words, self.submits, self.reads
            person.caps, person.everybody = (None,), everybody
            everybody.append(person)
        self.everybody = everybody

    async def _live(self) -> None:
        self.weather(self.lot.choice([0.0, 0.02, 0.08]))
        await asyncio.gather(*(self._work(person) for person in self.everybody))
        for person in self.everybody:
            person.working = False
        for person in self.everybody:
            await person.come_home(person.placed(self.film.before))
        checked(self)
        self.runs = sum(person.runs for person in self.everybody)
        self.kills = sum(person.kills for person in self.everybody)
        self.home_s = max(person.home_s for person in self.everybody)
        self.charges = len(self.sim.ledger)

    async def _work(self, person: Person) -> None:
        opened = person.placed(self.film.before)
        for _ in range(RUNS):
            outcome = await person.run(opened, kills=self.lot.random() < 0.7)
            await asyncio.sleep(self.lot.choice([0.0, 1.0, 60.0, 900.0]))
            if self.lot.random() < 0.3:
                person.resolve_all(honest=True)
            if outcome is not None and outcome.status == "success":
                break


def of(kind: type[Alone] | type[Studio], url: str, people: int = 3) -> Callable[..., Life]:
    """Return a kind of life that goes by a database."""
    return type(kind.__name__, (kind,), {"url": url, "people": people})


@contextlib.contextmanager
def environment() -> Iterator[None]:
    """Put back what a life says of itself in the environment."""
    names = ("KIEBATCH_TEAM", "KIEBATCH_ACCOUNT")
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-99", help="a seed or a range, both ends included")
    parser.add_argument("--people", type=int, default=3, help="1: a life of one person, as in bench.lives")
    parser.add_argument("--verbose", action="store_true", help="every event of every life")
    chosen = parser.parse_args()
    began = time.perf_counter()
    with postgres.server() as server, environment():
        kind = of(Alone, server.url) if chosen.people == 1 else of(Studio, server.url, chosen.people)
        sums = lives.tally(chosen.seeds, kind, verbose=chosen.verbose)
    print(
        f"{sums.lives} lives of {chosen.people}, {sums.runs} runs, {sums.kills} kills, {sums.charges} charges: "
        f"{sums.broken} broken; {time.perf_counter() - began:.0f} s"
    )
    sys.exit(1 if sums.broken else 0)


if __name__ == "__main__":
    main()
