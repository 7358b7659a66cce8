# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.filter.topology import secret_problems, with_new_secrets

GOOD = {"one": "q8Z3kTn0LmWx5RvYpD2s", "two": "Hb7cJ4fQe9GtUa6SiXo1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, []),
        ({"two": None}, ["two missing"]),
        ({"two": ""}, ["two missing"]),
        ({"two": "q8Z3"}, ["two of 4 characters"]),
        ({"two": "changeme" * 3}, ["two of 7 different characters"]),
        ({"two": GOOD["one"]}, ["one value for one and two"]),
        # A name that nobody asks for may not share a value either.
        ({"store_key": GOOD["two"]}, ["one value for two and store_key"]),
    ],
)
def test_what_is_wrong_is_named_and_no_value(given, said):
    found = secret_problems({**GOOD, **given}, ["one", "two"], 20)
    assert found == said and not [value for value in given.values() if value and value in " ".join(found)]


def test_an_empty_secret_is_made_like_a_missing_one():
    made = with_new_secrets({**GOOD, "two": ""}, ["one", "two", "three"])
    assert made["one"] == GOOD["one"] and len(made["two"]) == len(made["three"]) == 48
