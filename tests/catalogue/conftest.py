"""The shipped catalogue, read once for all tests of this folder."""

from __future__ import annotations

import pytest

from kiebatch import catalogue
from kiebatch.catalogue import Catalogue


@pytest.fixture(scope="session")
def shipped() -> Catalogue:
    return catalogue.load()
