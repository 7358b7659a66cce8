# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.mainstay.platform.plugins.module_utils import _controls

NEEDS = {"audit": {"ask": "has audit", "reason": "the audit is the machine's"}}


def control(name, ask, fix=None, needs=()):
    return {"id": name, "needs": list(needs), "ask": ask, "fix": fix}


class Host:
    """Answers questions by a set of things that are so; a fix makes one of them so."""

    def __init__(self, *true, deaf=False):
        self.true = set(true)
        self.deaf = deaf
        self.asked = []

    def __call__(self, script):
        self.asked.append(script)
        if script.startswith("fix "):
            self.true |= set() if self.deaf else {script.removeprefix("fix ")}
            return 0, "tried"
        return (0, "") if script in self.true else (1, "not so\n\n really ")

    def asker(self, needs=None):
        return _controls.Asker(self, NEEDS if needs is None else needs)


def test_a_control_that_cannot_be_had_is_neither_asked_nor_held():
    host = Host("rules")
    answer = host.asker().ask(control("rules", "rules", needs=["audit"]))
    assert answer == {"verdict": "not applicable", "found": "the audit is the machine's"}
    assert host.asked == ["has audit"]


def test_a_need_is_asked_once():
    host = Host("has audit", "a", "b")
    asker = host.asker()
    assert [asker.ask(control(name, name, needs=["audit"]))["verdict"] for name in "ab"] == ["held", "held"]
    assert host.asked == ["has audit", "a", "b"]


def test_what_was_found_is_one_line():
    assert Host().asker().ask(control("a", "a")) == {"verdict": "broken", "found": "not so; really"}


def test_what_holds_is_left_alone():
    host = Host("a")
    assert _controls.bring_about(host.asker(), [control("a", "a", "fix a"), control("b", "b")], True) == ([], {})
    assert host.asked == ["a"], "one without a fix is not asked"


def test_what_does_not_hold_is_fixed_and_asked_again():
    host = Host()
    assert _controls.bring_about(host.asker(), [control("a", "a", "fix a")], True) == (["a"], {})
    assert host.asked == ["a", "fix a", "a"]


def test_a_fix_that_does_not_help_is_told():
    fixed, failed = _controls.bring_about(Host(deaf=True).asker(), [control("a", "a", "fix a")], True)
    assert fixed == ["a"] and failed == {"a": "not so; really; tried"}


def test_check_mode_fixes_nothing():
    host = Host()
    assert _controls.bring_about(host.asker(), [control("a", "a", "fix a")], False) == (["a"], {})
    assert host.asked == ["a"]


def test_nothing_is_fixed_that_cannot_be_had():
    host = Host()
    assert _controls.bring_about(host.asker(), [control("a", "a", "fix a", ["audit"])], True) == ([], {})


def test_red_ones_are_asked_again_until_the_deadline():
    host, now = Host("a"), [0.0]

    def sleep(seconds):
        now[0] += seconds
        if now[0] == 3:
            host.true.add("b")

    answers = _controls.ask_all(host.asker(), [control("a", "a"), control("b", "b")], 10, lambda: now[0], sleep)
    assert {name: answer["verdict"] for name, answer in answers.items()} == {"a": "held", "b": "held"}
    assert now[0] == 3 and host.asked.count("a") == 1


def test_the_deadline_ends_the_asking():
    now = [0.0]
    answers = _controls.ask_all(
        Host().asker(), [control("a", "a")], 2, lambda: now[0], lambda pause: now.__setitem__(0, now[0] + pause)
    )
    assert answers["a"]["verdict"] == "broken" and now[0] == 2


def test_controls_that_are_wrong_themselves_are_named():
    found = _controls.problems([control("a", "a"), control("a", "a"), control("b", "b", needs=["moon"])], NEEDS)
    assert found == ["control a is there twice", "control b needs 'moon', which nobody explains"]
