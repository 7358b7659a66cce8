# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services to containers: complete, refused with a reason, and judged."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.mainstay.platform.plugins.module_utils import _services

CONTEXT = {
    "defaults": {
        "instances": 1,
        "user": "10001:10001",
        "read_only": True,
        "stop_grace": 30,
        "limits": {"cpus": 1, "cpus_reserved": 0.5, "memory": "256m", "memory_reserved": "128m", "processes": 100},
        "restart": {"policy": "unless-stopped"},
        "health": {"path": "/health", "interval": 30, "timeout": 10, "retries": 3, "start_period": 60},
        "environment": {"WORKERS": 8},
    },
    "host": {"name": "app1", "address": "192.0.2.1"},
    "secrets": {"key": "s3cret-value", "other": "another-value"},
    "required": [],
    "memory_mb": 1024,
    "directory": "/etc/app",
    "tls_path": "/etc/tls",
    "log_dir": "/var/log/app",
    "logs": {"size_mb": 100, "keep": 10},
}
API = {"name": "api", "image": "example/api:1", "port": 8000, "metrics_port": 8101, "secrets": {"KEY": "key"}}
WORKER = {"name": "worker", "image": "example/api:1", "health": {"command": ["check"]}}


def context(**changes):
    return {**copy.deepcopy(CONTEXT), **changes}


def one(service, **changes):
    return _services.instances([service], context(**changes))[0]["container"]


def test_instances_count_ports_up_and_are_published_on_one_address():
    made = _services.instances([{**API, "instances": 2}], context())
    assert [item["name"] for item in made] == ["api-1", "api-2"]
    assert made[1]["container"]["published_ports"] == ["192.0.2.1:8001:8000", "192.0.2.1:8102:8101"]
    assert made[1]["gate"] == {"url": "http://192.0.2.1:8001/health"}


def test_a_secret_is_a_file_and_never_a_setting():
    container = one(API)
    assert container["env"]["KEY_FILE"] == "/run/secrets/KEY"
    assert "s3cret-value" not in str(container)
    assert _services.secret_files([API], context())[0]["files"] == {"KEY": "s3cret-value"}


def test_another_secret_makes_another_container():
    labels = {one(API, secrets={"key": value})["labels"]["mainstay.config"] for value in ("a", "b", "a")}
    assert len(labels) == 2


def test_the_same_input_makes_the_same_container():
    assert one(API) == one(API)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image": "example/api"}, "expected a tag or a digest"),
        ({"user": "0:0"}, "other than root's"),
        ({"user": "nobody"}, "expected numbers"),
        ({"name": "Api"}, "small letters"),
        ({"name": "web-green"}, "does not end in -green"),
        ({"health": {"path": "health"}}, "expected an absolute path"),
        ({"secrets": {"KEY": "unknown"}}, "found no secret unknown"),
        ({"environment": {"KEY": "plain"}}, "in environment and in secrets"),
        ({"limits": {"memory": "lots"}}, "expected a number with k, m or g"),
        ({"limits": {"memory": "64m"}}, "above memory 64m"),
        ({"instances": 5}, "expected at most the host's 1024 MB"),
        ({"required_settings": ["KEY", "DATABASE_URL"]}, "found no DATABASE_URL"),
        ({"metrics_port": 8000}, "taken by api.port"),
        ({"port": None}, "found neither a port nor health.command"),
    ],
)
def test_what_cannot_work_is_refused_with_its_reason(changes, says):
    problems = _services.problems([{**API, **changes}], context())
    assert any(says in problem for problem in problems), problems
    assert "s3cret-value" not in str(problems)


def test_what_can_work_is_not_refused():
    assert _services.problems([API, WORKER], context(migration={"service": "api", "command": ["migrate"]})) == []


def test_a_migration_of_nobody_is_refused():
    said = _services.problems([API], context(migration={"service": "web"}))
    assert said == [
        "app_migration: found service web, expected one of api",
        "app_migration: found no command, expected it word by word",
    ]


def test_two_services_of_one_name_are_refused():
    assert "service worker: found twice, expected each name once" in _services.problems([WORKER, WORKER], context())


def test_gates_ask_by_http_or_by_command():
    made = _services.instances([{**API, "health": {"expect_json": {"status": "healthy"}}}, WORKER], context())
    web, own = _services.gates(made)
    assert web["args"]["expect_json"] == {"status": "healthy"}
    assert own["args"]["argv"] == ["docker", "exec", "worker-1", "check"]
    rolled = _services.gates(made, {"successes": 1, "window": "1"})[0]["args"]
    assert rolled["successes"] == 2 and "expect_json" not in rolled


def inspected(made):
    """What the engine shows of an instance that is as it should be."""
    container = made["container"]
    return {
        "Name": f"/{made['name']}",
        "Image": "sha256:1",
        "State": {"Running": True, "Status": "running"},
        "Config": {"Image": made["image"], "User": "10001:10001", "Labels": container["labels"]},
        "HostConfig": {
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": True,
            "Memory": int(container["memory"]),
            "NanoCpus": int(container["cpus"] * 10**9),
            "LogConfig": {"Config": container["log_options"]},
            "PortBindings": {"8000/tcp": [{"HostIp": "192.0.2.1", "HostPort": "8000"}]},
        },
    }


def judged(change=lambda found: None, images=None):
    made = _services.instances([API], context())
    found = inspected(made[0])
    change(found)
    return _services.container_problems([found], made, images or {"example/api:1": "sha256:1"})


def test_a_container_as_it_should_be_has_no_problem():
    assert judged() == {"image": [], "rights": [], "limits": []}


@pytest.mark.parametrize(
    ("subject", "part", "key", "value", "says"),
    [
        ("image", "State", "Running", False, "is running"),
        ("image", None, "Image", "sha256:2", "runs sha256:2"),
        ("image", "Config", "Labels", {}, "other settings"),
        ("rights", "Config", "User", "", "runs as root"),
        ("rights", "HostConfig", "CapDrop", [], "has capabilities"),
        ("rights", "HostConfig", "SecurityOpt", [], "may gain privileges"),
        ("rights", "HostConfig", "Privileged", True, "is privileged"),
        ("rights", "HostConfig", "ReadonlyRootfs", False, "may write"),
        ("rights", "HostConfig", "PortBindings", {"1/tcp": [{"HostIp": ""}]}, "on every address"),
        ("limits", "HostConfig", "Memory", 0, "0 MB of memory"),
        ("limits", "HostConfig", "NanoCpus", 0, "0 processors"),
        ("limits", "HostConfig", "LogConfig", {"Config": {}}, "no rule"),
    ],
)
def test_a_container_that_differs_is_named_with_the_difference(subject, part, key, value, says):
    def change(found):
        (found[part] if part else found)[key] = value

    problems = judged(change)
    assert any(says in text for text in problems[subject]), problems
    assert [name for name, texts in problems.items() if texts] == [subject]


def test_a_container_that_is_missing_is_named():
    made = _services.instances([API], context())
    assert _services.container_problems([], made, {})["image"] == ["api-1 is not there"]


def test_remembered_instances_get_the_mark_of_the_secrets_of_today():
    made = _services.instances([API], context())
    remembered = _services.bare(made)
    assert "labels" not in remembered[0]["container"]
    assert _services.sealed(remembered, CONTEXT["secrets"]) == made
    assert _services.sealed(remembered, {"key": "renewed"}) != made


def test_a_release_that_may_come_back_keeps_its_own_user_and_its_own_secrets():
    former = _services.instances([{**API, "user": "20002:20002", "secrets": {"KEY": "other", "GONE": ""}}], context())
    now, then = _services.secret_files([API], context(former=former))
    assert (now["uid"], then["uid"], then["files"]) == (10001, 20002, {"KEY": "another-value"})
    assert f"{then['path']}:/run/secrets:ro" in former[0]["container"]["volumes"]


def test_a_digest_is_asked_for_where_it_is_required():
    said = _services.problems([API], context(digest_required=True))
    assert any("expected a digest as app_digest_required says" in problem for problem in said)
    named = {**API, "image": f"example/api@sha256:{'0' * 64}"}
    assert _services.problems([named], context(digest_required=True)) == []


def test_a_second_set_has_names_and_ports_of_its_own_and_no_metrics():
    made = _services.instances([{**API, "instances": 2}, WORKER], context())
    first, second = _services.green(made, 1000, {8000, 8001})
    assert (first["name"], second["name"]) == ("api-green-1", "api-green-2")
    assert second["container"]["published_ports"] == ["192.0.2.1:9001:8000"]
    assert second["container"]["env"]["APP_INSTANCE"] == "app1-api-2-green"
    assert second["gate"] == {"url": "http://192.0.2.1:9001/health"} and second["port"] == 9001
    assert made[1]["container"]["published_ports"][0] == "192.0.2.1:8001:8000"
    assert _services.green(made, 0, {8000}) == _services.green(made, 1000, set()) == []


@pytest.mark.parametrize(
    ("services", "says"),
    [
        ([API, {**WORKER, "port": 9000}], "found port 9000 of worker.port taken by"),
        ([{**API, "instances": 3}], "found 1536 MB of memory, expected at most the host's 1024 MB"),
    ],
)
def test_a_second_set_needs_ports_and_memory(services, says):
    said = _services.problems(services, context(green_offset=1000))
    assert any(says in problem for problem in said), said
    assert _services.problems(services, context()) == []
