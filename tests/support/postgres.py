"""A PostgreSQL of the tests' own; see `bench/postgres.py`."""

from __future__ import annotations

from bench.postgres import Server as Server
from bench.postgres import free_port as free_port
from bench.postgres import new_schema as new_schema
from bench.postgres import program as program
from bench.postgres import server as server
