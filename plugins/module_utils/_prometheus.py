# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of Prometheus' HTTP API mean. Pure functions over decoded JSON. Private to this collection."""

from __future__ import annotations

SHOWN = 5  # offenders named in one sentence


def listed(items):
    """Some items as text, and how many more there are."""
    items = list(items)
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def series_name(labels):
    """The labels of a series as a person reads them."""
    inner = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels.get('__name__', '')}{{{inner}}}"


def expected_targets(scrape_configs):
    """The targets that scrape configurations name, as (job, visible labels)."""
    return [
        (config["job_name"], {key: value for key, value in entry.get("labels", {}).items() if not key.startswith("__")})
        for config in scrape_configs
        for entry in config.get("static_configs") or []
        for _address in entry.get("targets") or []
    ]


def judge_targets(scrape_configs, answer):
    """Every expected target is scraped and up. Gives (holds, evidence)."""
    active = answer["data"]["activeTargets"]
    expected = expected_targets(scrape_configs)
    broken = []
    for job, labels in expected:
        wanted = {"job": job, **labels}
        found = [target for target in active if wanted.items() <= target["labels"].items()]
        name = "/".join([job, *labels.values()])
        if not found:
            broken.append(f"{name}: not configured")
        for target in found:
            if target["health"] != "up":
                broken.append(f"{name}: {target.get('lastError') or target['health']}")
    if broken:
        return False, f"{len(broken)} of {len(expected)} targets are not up: {listed(broken)}"
    return True, f"{len(expected)} of {len(expected)} targets are up"


def judge_rules(answer):
    """Rules are loaded, each has been evaluated, and none fails. Gives (holds, evidence)."""
    rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
    if not rules:
        return False, "no rules are loaded"
    broken = [f"{rule['name']}: {rule.get('lastError') or rule['health']}" for rule in rules if rule["health"] != "ok"]
    if broken:
        return False, f"{len(broken)} of {len(rules)} rules are not evaluated: {listed(broken)}"
    return True, f"{len(rules)} rules are evaluated without an error"


def judge_quiet(severities, answer, ignored=()):
    """No alert of these severities fires but those that are ignored. Gives (holds, evidence)."""
    alerts = [alert for alert in answer["data"]["alerts"] if alert["state"] == "firing"]
    loud = [alert for alert in alerts if alert["labels"].get("severity") in severities]
    loud = [alert for alert in loud if alert["labels"].get("alertname") not in ignored]
    if not loud:
        but = f" but {', '.join(ignored)}" if ignored else ""
        return True, f"{len(alerts)} alerts fire, none of them {' or '.join(severities)}{but}"
    names = [f"{alert['labels'].get('alertname')} {alert['labels'].get('instance', '')}".strip() for alert in loud]
    return False, f"{len(loud)} alerts fire: {listed(names)}"


def judge_alertmanagers(urls, answer):
    """Prometheus sends its alerts to each of these. Gives (holds, evidence)."""
    active = [entry["url"] for entry in answer["data"]["activeAlertmanagers"]]
    missing = [url for url in urls if not any(entry.startswith(url) for entry in active)]
    if missing:
        return False, f"not in use: {listed(missing)}; in use: {listed(active) or 'none'}"
    return True, f"alerts go to {listed(active)}"


def judge_expression(expect, answer):
    """A query gives some series, or none. Gives (holds, evidence)."""
    result = answer["data"]["result"]
    if answer["data"]["resultType"] != "vector":
        return False, f"the expression gives a {answer['data']['resultType']}; expected a vector"
    shown = listed(f"{series_name(sample['metric'])} = {sample['value'][1]}" for sample in result)
    return bool(result) == (expect == "some"), f"{len(result)} series" + (f": {shown}" if result else "")
