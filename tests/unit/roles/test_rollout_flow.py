# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way of a rollout through the role's files: what is red on one host is red for all, and all go back."""

from __future__ import annotations

import itertools
import json
import re
import shutil

import pytest
from repository import ROOT, render_all

# What asks engines, edges and clients says its name instead, and is red where it is told to.
LEAVES = "begin colours forget image instance look migrate retire shares traffic verify watch"
LEAF = """
- name: Be there or not
  ansible.builtin.ping:
  vars: {{ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}}
  when: "'lost {leaf} ' ~ inventory_hostname in red"

- name: Say it
  ansible.builtin.assert:
    that: what ~ ' ' ~ inventory_hostname not in red
    success_msg: "did {{{{ what }}}}{more} {{{{ inventory_hostname }}}}."
    fail_msg: "did {{{{ what }}}}{more} {{{{ inventory_hostname }}}}."
  vars:
    what: "{{{{ 'back ' if __app_red | default('') else '' }}}}{leaf}"
"""
# What it tells the edges: the percentage of some hosts, by the ends of their addresses.
WEIGHTS = (
    " {{ 'even' if not __app_changed_addresses or __app_percent | int == 100"
    " else __app_percent ~ ':' ~ __app_changed_addresses | map('regex_replace', '^.*[.]', '') | join('+') }}"
)
INSTANCE = {
    "name": "api-1",
    "service": "api",
    "image": "example/api:0",
    "port": 8000,
    "secrets": {},
    "gate": {"url": "http://10.0.11.11:8000/health"},
    "container": {"env": {"APP_INSTANCE": "api-1"}, "published_ports": ["10.0.11.11:8000:8000"]},
}
PREVIOUS = {"release": "1", "instances": [INSTANCE], "images": {}}
BEGIN = "begin 12, traffic 1, shares even 1, look 1, instance 1, watch 1, traffic 11, look 2, instance 2"
CANARY = (
    "look 12, begin 12, traffic 1, shares 50:11 1, look 1, instance 1, watch 1, traffic 11, shares even 1, look 2, "
    "instance 2, watch 12, traffic 1, back image 12, back shares 0:11+12 1, back look 2, back instance 2"
)
# Strategy, and what is red; how the run ends, and what both hosts remember; the steps, with the numbers of the hosts
# that took them; words at the end.
CASES = {
    "what is left at the end is said": (
        ("rolling", ["remember app1"]),
        "2 started live",
        f"{BEGIN}, watch 12, traffic 1, verify 12, shares even 1",
        "Release 2 is live on app1, app2. Nothing was replaced. What was to be done after it was not: app1: /",
    ),
    "a host without its image does not keep the other": (
        ("rolling", ["instance app2", "back image app1"]),
        "2 failed failed",
        f"{BEGIN}, watch 1, traffic 1, back image 12, back look 2, back instance 2, back shares even 1",
        "Red: app2: did instance app2.. Going back to 1 was not done everywhere: app1: did back image",
    ),
    "a host that is lost is red": (
        ("rolling", ["lost watch app2"]),
        "4 failed started",
        f"{BEGIN}, watch 1, traffic 1, back image 1, back look 1, back instance 1, back shares even 1",
        "Red: app2 cannot be reached any more. Went back to 1 on every host that can be reached.",
    ),
    "a canary that was killed goes on with the host that has begun": (
        ("canary", [], ["app2"]),
        "0 live live",
        "look 12, begin 12, traffic 1, shares 50:12 1, look 2, instance 2, watch 2, traffic 11, shares even 1, look 1, "
        "instance 1, watch 12, traffic 1, verify 12, shares even 1",
        "Release 2 is live on app1, app2.",
    ),
    "clients come to each host of a canary that is back": (
        ("canary", ["watch app2"]),
        "2 failed failed",
        f"{CANARY}, back shares 0:11 1, back look 1, back instance 1, back shares even 11",
        "Red: app2: did watch app2.. Went back to 1 on every host",
    ),
    "nobody comes to a host of a canary that could not go back": (
        ("canary", ["watch app2", "back instance app2"]),
        "2 failed failed",
        f"{CANARY}, back shares 0:11+12 1, back look 1, back instance 1, back shares 0:12 11",
        "Red: app2: did watch app2.. Going back to 1 was not done everywhere: app2: did back instance",
    ),
    "an edge that refuses keeps nobody": (
        ("canary", ["watch app2", "back shares app1"]),
        "2 failed failed",
        f"{CANARY}, back shares 0:11 1, back look 1, back instance 1, back shares even 11",
        "Red: app2: did watch app2.. Going back to 1 was not done everywhere: app1: did back shares",
    ),
    "nobody comes to a second set that is red": (
        ("blue_green", ["instance app2"]),
        "2 failed failed",
        "begin 12, look 12, instance 12, back image 12, back colours 1, back look 2, back instance 2, back look 1, "
        "back instance 1, back retire 12, back shares even 1",
        "Red: app2: did instance app2.. Went back to 1 on every host",
    ),
    "a second set serves on where the first did not come back": (
        ("blue_green", ["watch app2", "back instance app2"]),
        "2 failed failed",
        "begin 12, look 12, instance 12, traffic 1, colours 1, watch 12, traffic 1, back image 12, back colours 1, "
        "back look 2, back instance 2, back look 1, back instance 1, back retire 1, back shares even 1",
        "Red: app2: did watch app2.. Going back to 1 was not done everywhere: app2: did back instance",
    ),
}


class Case:
    def __init__(self, path, strategy, red, begun=()):
        self.path = path
        shutil.copytree(ROOT / "roles/app/tasks", path / "tasks")
        for leaf in LEAVES.split():
            assert (path / "tasks" / f"{leaf}.yml").exists()
            more = WEIGHTS if leaf == "shares" else ""
            (path / "tasks" / f"{leaf}.yml").write_text(LEAF.format(leaf=leaf, more=more))
        self.variables = {
            "files": str(path / "tasks"),
            "red": red,
            "begun": list(begun),
            "plan": {"release": "2", "live": "1", "previous": PREVIOUS, "rolls": True, "record": {}},
            "app_services": [{"name": "api", "image": "example/api:1", "port": 8000}],
            "app_strategy": strategy,
            "app_canary_steps": [50, 100],
            "app_secrets": {},
            "app_memory_mb": 8000,
            "app_owner": "maria",
            # Once hosts have been touched, one may have lost the place where it remembers.
            "__app_releases": "{{ place }}/{{ inventory_hostname }}.json",
            "place": f"{path}{{{{ '/lost' if __app_touched and 'remember ' ~ inventory_hostname in red else '' }}}}",
        }

    def result(self, host):
        path = self.path / f"{host}.json"
        return json.loads(path.read_text())[-1]["result"]


def steps(output):
    """What was done, in order, with the numbers of the hosts that did it side by side."""
    done = re.findall(r"msg: did (.+) app(\d)\.", output)
    return ", ".join(
        f"{what} {''.join(sorted(host for _what, host in group))}"
        for what, group in itertools.groupby(done, key=lambda pair: pair[0])
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    cases = {name: Case(tmp_path_factory.mktemp("flow"), *given[0]) for name, given in CASES.items()}
    done = render_all([("rollout/flow.yml", case.variables) for case in cases.values()])
    return {name: (case, run) for (name, case), run in zip(cases.items(), done, strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_what_is_red_on_one_host_is_red_for_all(runs, name):
    _given, ends, wanted, words = CASES[name]
    case, run = runs[name]
    assert steps(run.stdout) == wanted, run.stdout + run.stderr
    assert f"{run.returncode} {case.result('app1')} {case.result('app2')}" == ends
    assert words in " ".join(run.stdout.split())
