"""The schema of a team's ledger: made, brought up to date, refused where program and schema do not fit."""

from __future__ import annotations

import pytest

from kiebatch.errors import Invalid
from kiebatch.team import Connection, schema

pytestmark = pytest.mark.needs("postgres")


@pytest.mark.slow
def test_an_empty_database_gets_both_parts_and_a_second_time_changes_nothing(team_url: str) -> None:
    connection = Connection(team_url)

    first = schema.migrate(connection, lease_s=3)
    again = schema.migrate(connection, lease_s=99)

    assert (first.before, first.after, first.lease_s) == (schema.VERSION, schema.VERSION, 3.0)
    assert again == first
    connection.close()


def test_a_database_without_a_ledger_is_said_to_need_one(team_url: str) -> None:
    connection = Connection(team_url)

    with pytest.raises(Invalid, match="no ledger yet"):
        connection.transact(schema.check)
    connection.close()


def test_an_older_program_and_a_newer_schema_refuse_each_other_only_when_the_roll_out_is_over(
    team_url: str,
) -> None:
    connection = Connection(team_url)
    schema.migrate(connection)

    def newer(part: str) -> None:
        connection.transact(
            lambda cursor: cursor.execute(
                "UPDATE about SET value = %s WHERE name = %s", (str(schema.VERSION + 1), part)
            )
        )

    newer("before")
    assert connection.transact(schema.check).before == schema.VERSION + 1

    newer("after")
    with pytest.raises(Invalid, match="this kiebatch knows"):
        connection.transact(schema.check)
    with pytest.raises(Invalid, match="this kiebatch knows"):
        schema.migrate(connection)
    connection.close()


def test_a_newer_program_refuses_an_older_schema_and_says_how_to_mend_it(team_url: str) -> None:
    connection = Connection(team_url)
    schema.migrate(connection)

    with pytest.raises(Invalid, match="team init"):
        connection.transact(lambda cursor: schema.check(cursor, schema.VERSION + 1))
    connection.close()
