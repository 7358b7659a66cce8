# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rendered configuration of Prometheus, its probes and Alertmanager, judged by their own tools."""

from __future__ import annotations

import pytest
import yaml

# A complete setting: a receiver per severity, secrets in files, a route and an inhibition of one's own.
ALERTMANAGER = {
    "alertmanager_global": {
        "smtp_smarthost": "mail.example.test:587",
        "smtp_from": "alerts@example.test",
        "smtp_auth_username": "alerts",
        "smtp_auth_password_file": "/etc/prometheus/alertmanager-secrets/smtp",
    },
    "alertmanager_secrets": {"smtp": "not-a-real-secret"},
    "alertmanager_receivers": [
        {"name": "pager", "slack_configs": [{"api_url_file": "/etc/prometheus/alertmanager-secrets/slack"}]},
        {"name": "mail", "email_configs": [{"to": "operations@example.test"}]},
        {"name": "outside", "webhook_configs": [{"url": "https://watch.example.test/ping"}]},
    ],
    "alertmanager_severities": {"critical": "pager", "warning": "mail"},
    "alertmanager_watchdog_receiver": "outside",
    "alertmanager_extra_routes": [{"matchers": ["service = billing"], "receiver": "mail"}],
}


@pytest.fixture(scope="module")
def complete(render):
    out, done = render(ALERTMANAGER)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "alertmanager.yml"


def targets(config):
    """{job: {instance: addresses}} of a configuration of Prometheus."""
    return {
        job["job_name"]: {entry["labels"]["instance"]: entry["targets"] for entry in job["static_configs"]}
        for job in config["scrape_configs"]
    }


def test_every_host_of_the_topology_is_a_target(rendered):
    found = targets(yaml.safe_load((rendered / "prometheus.yml").read_text()))
    databases, caches = {"db1", "db2", "db3"}, {"cache1", "cache2", "cache3"}
    assert {job: set(instances) for job, instances in found.items()} == {
        "prometheus": {"ops1"},
        "alertmanager": {"ops1"},
        "blackbox": {"ops1"},
        "node": {"edge1", "edge2", "app1", "app2", "ops1"} | databases | caches,
        "etcd": databases,
        "patroni": databases,
        "postgresql": databases,
        "redis": caches,
        "sentinel": caches,
        "haproxy": {"edge1", "edge2"},
        "app": {"app1", "app2"},
        "probe": {"cash.example.test", "edge1", "edge2"},
        "certificate": {"edge1", "edge2", "ops1"} | databases,
    }


def test_targets_carry_the_name_of_the_environment(rendered):
    config = yaml.safe_load((rendered / "prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        assert job["relabel_configs"] == [{"target_label": "cluster", "replacement": "test"}], job["job_name"]


def test_certificates_are_verified(rendered):
    text = (rendered / "prometheus.yml").read_text() + (rendered / "blackbox.yml").read_text()
    assert "insecure" not in text
    for job in yaml.safe_load((rendered / "prometheus.yml").read_text())["scrape_configs"]:
        assert ("tls_config" in job) == (job.get("scheme") == "https"), job["job_name"]


def test_prometheus_accepts_its_configuration(rendered, tool, tmp_path):
    # The files that it names are on the host; here they are the rendered ones.
    text = (rendered / "prometheus.yml").read_text()
    for name in ("ca.crt", "host.crt", "host.key"):
        (tmp_path / name).write_text("")
    text = text.replace("/etc/prometheus/rules/mainstay.yml", str(rendered / "rules.yml"))
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/mainstay/tls/", f"{tmp_path}/"))
    tool("promtool", "check", "config", tmp_path / "prometheus.yml")


def test_alertmanager_accepts_its_configuration(rendered, complete, tool):
    tool("amtool", "check-config", rendered / "alertmanager.yml")
    tool("amtool", "check-config", complete)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "Watchdog", "severity": "none"}, "outside"),
        ({"alertname": "RedisDown", "severity": "critical"}, "pager"),
        ({"alertname": "DiskAlmostFull", "severity": "warning"}, "mail"),
        ({"alertname": "Overdrawn", "severity": "critical", "service": "billing"}, "mail"),
        ({"alertname": "Overdrawn", "severity": "note"}, "none"),
    ],
)
def test_alerts_reach_their_receiver(complete, tool, labels, receiver):
    found = tool(
        "amtool", "config", "routes", "test", f"--config.file={complete}", *[f"{k}={v}" for k, v in labels.items()]
    )
    assert found.split() == [receiver]


def test_nobody_is_told_until_somebody_is_named(rendered, tool):
    config = f"--config.file={rendered / 'alertmanager.yml'}"
    assert tool("amtool", "config", "routes", "test", config, "severity=critical").split() == ["none"]


def test_inhibitions_speak_of_alerts_that_exist(rendered, rules):
    names = {rule["alert"] for rule in rules}
    config = yaml.safe_load((rendered / "alertmanager.yml").read_text())
    for rule in config["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            assert set(matcher.split(maxsplit=2)[2].strip('"').split("|")) <= names, matcher


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"alertmanager_severities": {"critical": "pager"}}, "routes to pager"),
        ({"alertmanager_receivers": [{"name": "a", "emails": []}]}, "emails"),
        ({"alertmanager_receivers": [{"name": "a", "slack_configs": [{"api_url": "x"}]}]}, "in api_url"),
        ({"prometheus_retention": "ninety days"}, "prometheus_retention ninety days"),
        ({"prometheus_extra_jobs": [{"job_name": "node"}]}, "jobs named twice node"),
        ({"prometheus_hosts": [{"name": "ops9", "address": "10.0.31.19"}]}, "prometheus_hosts ops9"),
    ],
)
def test_inputs_that_cannot_work_are_refused(render, variables, message):
    _out, done = render(variables)
    assert done.returncode != 0
    assert message in " ".join(done.stdout.split())


def test_a_platform_without_redis_has_no_alerts_about_it(render, tool):
    out, done = render({"prometheus_redis_hosts": [], "prometheus_edge_hosts": []})
    assert done.returncode == 0, done.stdout + done.stderr
    text = (out / "rules.yml").read_text()
    assert "redis" not in text.lower()
    assert "EdgeProbeFailed" not in text
    tool("promtool", "check", "rules", out / "rules.yml")


def test_own_rules_stand_beside_those_of_the_platform(render, tool):
    group = {
        "name": "business",
        "rules": [{"alert": "Overdrawn", "expr": "budget < 0", "labels": {"severity": "warning"}}],
    }
    out, done = render({"prometheus_extra_rule_groups": [group]})
    assert done.returncode == 0, done.stdout + done.stderr
    groups = yaml.safe_load((out / "rules.yml").read_text())["groups"]
    assert groups[-1] == group
    tool("promtool", "check", "rules", out / "rules.yml")
