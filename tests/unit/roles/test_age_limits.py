"""Every kind of backup has an age limit, or the run is refused before any change: no alert would miss one without."""

from __future__ import annotations

from repository import ROOT, load, render_all

NAME = "platform_objective_backup_age_hours"
LIMITS = load(ROOT / "roles/platform/defaults/main/objectives.yml")[NAME]
# What is given, and what the refusal names; nothing when it is none.
CASES = {
    "the defaults": ({}, ""),
    "others, with one more kind": ({NAME: {**LIMITS, "redis": 4, "tapes": 200}}, ""),
    "one number, as it was": ({NAME: 26}, "found 26; expected hours for each of database"),
    **{
        f"without {kind}": ({NAME: {name: hours for name, hours in LIMITS.items() if name != kind}}, kind)
        for kind in LIMITS
    },
}


def test_a_kind_without_a_limit_is_refused():
    asked = {"role": "preflight", "entry": "inventory"}
    done = render_all([("refuse.yml", {**asked, **given}) for given, _words in CASES.values()])
    for (name, (_given, words)), run in zip(CASES.items(), done, strict=True):
        said = " ".join(run.stdout.split())
        assert (run.returncode != 0) == bool(words), f"{name}: {said}"
        assert not words or (f"{NAME}: found" in said and words in said), f"{name}: {said}"
