# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mainstay.platform.plugins.filter.monitoring import app_scrape_targets, scrape_targets

HOSTS = [{"name": "cache1", "address": "10.0.21.11"}, {"name": "cache2", "address": "10.0.21.12"}]


def test_scrape_targets_names_the_instance_after_the_host():
    assert scrape_targets(HOSTS[:1], 9100) == [{"targets": ["10.0.21.11:9100"], "labels": {"instance": "cache1"}}]


def test_scrape_targets_fills_name_and_address_into_labels():
    found = scrape_targets(HOSTS, 9121, __param_target="rediss://{address}:6379", via="{name}")
    assert [entry["labels"] for entry in found] == [
        {"instance": "cache1", "__param_target": "rediss://10.0.21.11:6379", "via": "cache1"},
        {"instance": "cache2", "__param_target": "rediss://10.0.21.12:6379", "via": "cache2"},
    ]


def test_scrape_targets_asks_an_exporter_elsewhere():
    assert [entry["targets"] for entry in scrape_targets(HOSTS, 9115, address="127.0.0.1")] == [["127.0.0.1:9115"]] * 2


def test_scrape_targets_of_no_hosts_is_empty():
    assert scrape_targets([], 9100) == []


def test_app_scrape_targets_counts_instances_up_from_the_first_port():
    services = [{"name": "api", "metrics_port": 8001, "instances": 2}, {"name": "worker"}]
    assert app_scrape_targets(HOSTS[:1], services) == [
        {"targets": ["10.0.21.11:8001"], "labels": {"instance": "cache1", "service": "api", "replica": "0"}},
        {"targets": ["10.0.21.11:8002"], "labels": {"instance": "cache1", "service": "api", "replica": "1"}},
    ]


def test_app_scrape_targets_refuses_what_is_no_list():
    with pytest.raises(AnsibleFilterError, match="found dict, expected a list"):
        app_scrape_targets(HOSTS, {"name": "api"})
