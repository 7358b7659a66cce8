# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rendered alerts: each fires when it should and not before, speaks of metrics that exist, and has a runbook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SUBJECTS = sorted(path.stem for path in (HERE / "alerts").glob("*.yml"))


def cases_of(subject):
    """An alert and a case, for each; an alert may have several."""
    found = yaml.safe_load((HERE / "alerts" / f"{subject}.yml").read_text())
    return [(alert, case) for alert, given in found.items() for case in (given if isinstance(given, list) else [given])]


CASES = {subject: cases_of(subject) for subject in SUBJECTS}
# The only alert that may have no silent case.
ALWAYS_FIRING = {"Watchdog"}
SEVERITIES = {"critical", "warning", "none"}


def expectation(alert, case, moment, firing):
    """One question to the rules: how many alerts of this name fire at a moment."""
    matchers = "".join(f',{key}="{value}"' for key, value in case.get("labels", {}).items())
    return {
        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"{matchers}}})',
        "eval_time": moment,
        "exp_samples": [{"labels": "{}", "value": case.get("count", 1)}] if firing else [],
    }


def promtool_test(alert, case):
    """A case in the form that promtool reads."""
    questions = [expectation(alert, case, case["fires"], True)]
    if case["silent"] != "never":
        # At the silent moment no alert of the name fires, whatever its labels.
        questions.append(expectation(alert, {}, case["silent"], False))
    return {
        "name": alert,
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.get("series", {}).items()],
        "promql_expr_test": questions,
    }


def metric_names(expression):
    """The metrics that an expression reads."""
    text = re.sub(r'"[^"]*"', '""', expression)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", text)
    text = re.sub(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", text)
    words = re.findall(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()", text)
    return {word for word in words if word not in {"and", "or", "unless", "by", "on", "bool", "offset"}}


def exposed(release):
    """The metrics that the packages of a release expose."""
    lines = (HERE / "metrics" / f"{release}.txt").read_text().splitlines()
    return {line.split()[1] for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_alerts_fire_and_stay_silent(subject, rules, tool, tmp_path):
    # Only the rules of the subject, and its recording rules: the time that promtool takes grows with their number.
    named = {alert for alert, _case in CASES[subject]}
    wanted = [rule for rule in rules if rule.get("alert") in named or "record" in rule]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": subject, "rules": wanted}]}))
    tests = [promtool_test(alert, case) for alert, case in CASES[subject]]
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    tool("promtool", "test", "rules", tmp_path / "test.yml")


def test_rules_are_valid(rendered, tool):
    tool("promtool", "check", "rules", rendered / "rules.yml")


def test_every_alert_has_a_firing_and_a_silent_case(rules):
    cases = [item for subject in CASES.values() for item in subject]
    assert {rule["alert"] for rule in rules if "alert" in rule} == {alert for alert, _case in cases}
    without = {alert for alert, case in cases if case["silent"] == "never"}
    assert without == ALWAYS_FIRING


def test_alert_names_are_unique(rules):
    names = [rule["alert"] for rule in rules if "alert" in rule]
    assert sorted(names) == sorted(set(names))


def test_every_alert_says_what_to_do(rules):
    for rule in rules:
        if "alert" not in rule:
            continue
        name = rule["alert"]
        assert rule["labels"]["severity"] in SEVERITIES, name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, name
        page, anchor = rule["annotations"]["runbook_url"].rsplit("/", 1)[1].split("#")
        runbook = ROOT / "docs" / "runbooks" / page
        assert anchor == name.lower(), name
        assert runbook.is_file(), f"{name}: docs/runbooks/{page} is missing"
        assert f"## {name}\n" in runbook.read_text(), f"{name}: docs/runbooks/{page} has no section '## {name}'"


def test_every_runbook_section_belongs_to_an_alert(rules):
    names = {rule["alert"] for rule in rules if "alert" in rule}
    for path in (ROOT / "docs" / "runbooks").glob("*.md"):
        sections = set(re.findall(r"^## (\S+)$", path.read_text(), re.M))
        assert sections <= names, f"{path.name}: {sorted(sections - names)}"


@pytest.mark.parametrize("release", ["debian12", "debian13"])
def test_metrics_are_exposed_by_the_packages(release, rules):
    allowed = yaml.safe_load((HERE / "metrics" / "allowed.yml").read_text())
    known = exposed(release) | set(allowed)
    for rule in rules:
        names = {
            re.sub(r"_(bucket|count|sum)$", "", name) if name not in known else name
            for name in metric_names(rule["expr"])
        }
        assert names <= known, f"{rule.get('alert')}: {sorted(names - known)} on {release}"


def test_allowed_metrics_have_a_source():
    allowed = yaml.safe_load((HERE / "metrics" / "allowed.yml").read_text())
    for name, entry in allowed.items():
        assert entry["why"], name
        if "source" in entry:
            assert name in (ROOT / entry["source"]).read_text(), f"{name} is not in {entry['source']}"


def test_every_kind_of_backup_that_is_missed_has_an_age_limit(render):
    limits = yaml.safe_load((ROOT / "roles/platform/defaults/main/objectives.yml").read_text())
    kinds = set(limits["platform_objective_backup_age_hours"])
    out, done = render({"platform_offsite_repository": {"bucket": "backups"}})
    assert done.returncode == 0, done.stdout + done.stderr
    rules = [rule for group in yaml.safe_load((out / "rules.yml").read_text())["groups"] for rule in group["rules"]]
    exprs = {rule["alert"]: rule["expr"] for rule in rules if rule.get("alert") in ("BackupMissing", "BackupTooOld")}
    assert set(re.findall(r'backup="(\w+)"', exprs["BackupMissing"])) == kinds
    assert set("|".join(re.findall(r'backup=~"([^"]+)"', exprs["BackupTooOld"])).split("|")) == kinds


def test_every_backup_host_is_missed_by_its_name_and_what_it_should_have(render):
    hosts = [{"name": name, "address": "10.0.31.11"} for name in ("ops1", "ops2")]
    without = {"prometheus_redis_hosts": [], "platform_offsite_repository": {"bucket": "backups"}}
    out, done = render({"prometheus_backup_hosts": hosts, **without})
    assert done.returncode == 0, done.stdout + done.stderr
    rules = [rule for group in yaml.safe_load((out / "rules.yml").read_text())["groups"] for rule in group["rules"]]
    (missing,) = [rule["expr"] for rule in rules if rule.get("alert") == "BackupMissing"]
    kinds = {"files", "audit", "configuration", "database", "dumps"}
    wanted = {(host, kind) for host in ("ops1", "ops2") for kind in kinds} | {("ops1", "offsite")}
    assert set(re.findall(r'absent\(\w+\{instance="(\w+)",backup="(\w+)"\}\)', missing)) == wanted


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('up{job="node"} == 0', {"up"}),
        ("sum by (cluster, instance) (rate(a_total[5m])) / on (cluster) b > 0.97", {"a_total", "b"}),
        ("histogram_quantile(0.99, rate(c_bucket[5m])) > 1", {"c_bucket"}),
        ("absent(d == 1) or vector(0)", {"d"}),
    ],
)
def test_metric_names_finds_what_an_expression_reads(expression, names):
    assert metric_names(expression) == names
