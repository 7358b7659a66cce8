# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the inventories promise by themselves: Ansible reads them as they are meant, and their scripts are there."""

from __future__ import annotations

import pytest
from repository import ROOT, load

INVENTORIES = sorted(path for path in (ROOT / "inventories").iterdir() if path.is_dir())
OVERLAYS = [ROOT / "tests/site/inventory_grow"]
(DATABASE,) = load(ROOT / "inventories/apg_cash_management/group_vars/all/postgresql.yml")["postgresql_databases"]


@pytest.mark.parametrize("folder", INVENTORIES + OVERLAYS, ids=lambda path: path.name)
def test_nothing_in_an_inventory_is_taken_for_a_list_of_hosts(folder):
    """Ansible reads every other file and folder there as hosts."""
    assert {path.name for path in folder.iterdir()} <= {"hosts.yml", "group_vars", "host_vars"}


@pytest.mark.parametrize("folder", INVENTORIES + OVERLAYS, ids=lambda path: path.name)
def test_every_script_is_found_from_every_inventory(folder):
    for script in DATABASE["scripts"]:
        path = script["path"].replace("{{ inventory_dir }}", str(folder))
        assert "{{" not in path
        assert (ROOT / path).is_file(), path


def test_the_reference_shows_all_that_a_database_can_have():
    roles = load(ROOT / "inventories/apg_cash_management/group_vars/all/postgresql.yml")["postgresql_roles"]
    assert {DATABASE["owner"], *DATABASE["writers"], *DATABASE["readers"]} == {role["name"] for role in roles}
    assert all(role["connection_limit"] and role["statement_timeout"] for role in roles)
    assert DATABASE["scripts"] and DATABASE["gates"] and DATABASE["extensions"]
