"""The lab that stands, for every test."""

from __future__ import annotations

import os

import pytest

from tests.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab(os.environ.get("LAB", "lab"), os.environ.get("RELEASE", "trixie"))
