# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.services import stale_units


@pytest.mark.parametrize(
    "lines, expected",
    [
        (["a|active|enabled|@100|"], []),
        (["a|active|static|@100|", "a|file|100"], []),
        (["a|active|enabled|@100|", "a|file|50", "a|file|101"], ["a"]),
        (["a|inactive|enabled||"], ["a"]),
        (["a|failed|enabled|@100|"], ["a"]),
        (["a|active|disabled|@100|"], ["a"]),
    ],
)
def test_stale_units(lines, expected):
    assert stale_units(lines, ["a"]) == expected


def test_a_unit_that_nobody_read():
    with pytest.raises(AnsibleFilterError, match="no reading of b"):
        stale_units(["a|active|enabled|@100"], ["b"])
