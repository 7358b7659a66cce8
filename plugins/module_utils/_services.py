# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This file is longer than others because every refusal of the role app says object, found, expected and remedy.
# SPDX-License-Identifier: GPL-3.0-or-later

"""Application services to containers, as pure functions. Private to this collection."""

from __future__ import annotations

import hashlib
import json
import re

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
SECRETS_PATH = "/run/secrets"
MARK = "mainstay.config"  # the label by which a container tells its settings
UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "": 1}


def size(text):
    """Bytes of a size such as 4g or 512m."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmg]?)b?", str(text).strip().lower())
    if not found:
        raise ValueError(f"found size {text!r}, expected a number with k, m or g such as 512m")
    return int(float(found.group(1)) * UNITS[found.group(2)])


def merged(service, defaults):
    """A service with what it does not say itself filled in; limits, health and restart key by key."""
    result = {**defaults, **service}
    for key in ("limits", "health", "restart"):
        result[key] = {**(defaults.get(key) or {}), **(service.get(key) or {})}
    result["environment"] = {**(defaults.get("environment") or {}), **(service.get("environment") or {})}
    result["secrets"] = {**(defaults.get("secrets") or {}), **(service.get("secrets") or {})}
    return result


def count(service):
    """How many instances of a service each host has."""
    given = service.get("instances")
    return 1 if given is None else int(given)


def fingerprint(value):
    """A short name for a value that changes with it and does not give it away."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:24]


def environment(service, index, host):
    """Plain settings, and for each secret the path of its file."""
    settings = {key: str(value) for key, value in service["environment"].items()}
    settings.update({f"{key}_FILE": f"{SECRETS_PATH}/{key}" for key in service["secrets"]})
    settings.setdefault("APP_INSTANCE", f"{host['name']}-{service['name']}-{index + 1}")
    return settings


def ports(service, index, host):
    """What is published, on the host's own address: never on all of them."""
    return [
        f"{host['address']}:{int(service[key]) + index}:{int(service[key])}"
        for key in ("port", "metrics_port")
        if service.get(key)
    ]


def secrets_path(directory, service, user, secrets):
    """Where the secrets of a service lie: releases with another user, or other secrets, have a folder of their own."""
    return f"{directory}/secrets/{service}-{fingerprint([str(user), secrets])[:8]}"


def volumes(service, directory, tls_path, log_dir):
    """Secrets and the authority read-only, a folder for logs when the service writes some, and its own volumes."""
    mounts = [f"{directory}/tls:{tls_path}:ro"]
    if service["secrets"]:
        folder = secrets_path(directory, service["name"], service["user"], service["secrets"])
        mounts.append(f"{folder}:{SECRETS_PATH}:ro")
    if service.get("log_path"):
        mounts.append(f"{log_dir}:{service['log_path']}:rw")
    return mounts + list(service.get("volumes") or [])


def healthcheck(health):
    """The engine's own health check, when the service names a command for it."""
    if not health.get("command"):
        return {"test": ["NONE"]}
    return {
        "test": ["CMD", *health["command"]],
        "interval": f"{health['interval']}s",
        "timeout": f"{health['timeout']}s",
        "retries": int(health["retries"]),
        "start_period": f"{health['start_period']}s",
    }


def log_options(logs):
    return {"max-size": f"{int(logs['size_mb'])}m", "max-file": str(int(logs["keep"]))}


def container(service, index, context):
    """One instance, in the words of community.docker.docker_container."""
    limits, host = service["limits"], context["host"]
    made = {
        "name": f"{service['name']}-{index + 1}",
        "image": service["image"],
        "command": service.get("command") or [],
        "user": str(service["user"]),
        "env": environment(service, index, host),
        "published_ports": ports(service, index, host),
        "volumes": volumes(service, context["directory"], context["tls_path"], context["log_dir"]),
        "read_only": bool(service["read_only"]),
        "memory": str(size(limits["memory"])),
        "memory_reservation": str(size(limits["memory_reserved"])),
        "cpus": float(limits["cpus"]),
        "cpu_shares": int(float(limits["cpus_reserved"]) * 1024),
        "pids_limit": int(limits["processes"]),
        "restart_policy": service["restart"]["policy"],
        "restart_retries": int(service["restart"].get("retries") or 0),
        "stop_timeout": int(service["stop_grace"]),
        "healthcheck": healthcheck(service["health"]),
        "log_options": log_options(context["logs"]),
    }
    return made


def sealed(made, secrets):
    """Instances whose containers carry the mark of their settings: a change of anything, a secret's value included,
    makes another container."""
    found = []
    for instance in made:
        values = {key: secrets.get(name) for key, name in instance["secrets"].items()}
        settings = {key: value for key, value in instance["container"].items() if key != "labels"}
        labels = {"mainstay.app": "true", "mainstay.service": instance["service"]}
        labels[MARK] = fingerprint([settings, values])
        found.append({**instance, "container": {**settings, "labels": labels}})
    return found


def gate(service, index, host):
    """How an instance is asked whether it is well: by HTTP where it has a port, else by its own command."""
    health = service["health"]
    if service.get("port"):
        return {"url": f"http://{host['address']}:{int(service['port']) + index}{health['path']}"}
    return {"command": list(health.get("command") or [])}


def instances(services, context):
    """Every instance of every service on one host, in order."""
    made = []
    for given in services:
        service = merged(given, context["defaults"])
        for index in range(int(service["instances"])):
            made.append(
                {
                    "name": f"{service['name']}-{index + 1}",
                    "service": service["name"],
                    "port": int(service["port"]) + index if service.get("port") else None,
                    "image": service["image"],
                    "secrets": service["secrets"],
                    "container": container(service, index, context),
                    "gate": gate(service, index, context["host"]),
                    "health": service["health"],
                }
            )
    return sealed(made, context["secrets"])


def green(made, offset, ports):
    """The second set: instances that clients come to by these ports, so many ports above and without metrics."""
    return [beside(instance, int(offset)) for instance in made if offset and instance["port"] in ports]


def beside(instance, offset):
    name = re.sub(r"-(\d+)$", r"-green-\1", instance["name"])
    old, port = instance["port"], instance["port"] + offset
    container_ = instance["container"]
    published = [item for item in container_["published_ports"] if item.split(":")[-2] == str(old)]
    made = {
        **container_,
        "name": name,
        "env": {**container_["env"], "APP_INSTANCE": f"{container_['env']['APP_INSTANCE']}-green"},
        "published_ports": [item.replace(f":{old}:", f":{port}:") for item in published],
    }
    url = instance["gate"]["url"].replace(f":{old}/", f":{port}/")
    return {**instance, "name": name, "port": port, "container": made, "gate": {"url": url}}


def bare(made):
    """Instances without the marks of their settings, as they are remembered."""
    return [
        {**instance, "container": {key: value for key, value in instance["container"].items() if key != "labels"}}
        for instance in made
    ]


def secret_files(services, context):
    """The files of secrets, by directory, for each service that has some.

    Those of former instances stay, with the values of today: a release may be gone back to.
    """
    wanted = [merged(service, context["defaults"]) for service in services]
    owners = [(service["name"], service["user"], service["secrets"]) for service in wanted]
    for instance in context.get("former") or []:
        owners.append((instance["service"], instance["container"]["user"], instance["secrets"]))
    found = {}
    for service, user, secrets in owners:
        path = secrets_path(context["directory"], service, user, secrets)
        uid, _colon, gid = str(user).partition(":")
        # A secret that is gone since keeps its release from nothing but that secret.
        files = {key: str(context["secrets"][name]) for key, name in secrets.items() if context["secrets"].get(name)}
        if files:
            found[path] = {"path": path, "uid": int(uid), "gid": int(gid or uid), "files": files}
    return list(found.values())


def published_ports(containers):
    """The ports of the host by which one comes to containers that run, as the engine lists them."""
    found = {port.get("PublicPort") for container_ in containers for port in container_.get("Ports") or []}
    return sorted(found - {None, 0})


def _limit_problems(service):
    limits = service["limits"]
    try:
        memory, reserved = size(limits["memory"]), size(limits["memory_reserved"])
    except ValueError as error:
        yield f"limits: {error}"
        return
    if reserved > memory:
        yield f"limits: found memory_reserved {limits['memory_reserved']} above memory {limits['memory']}; lower it"


def _memory_problems(services, memory_mb, offset):
    """With a second set beside it, a service with a port needs its memory twice."""
    try:
        sets = [2 if offset and service.get("port") else 1 for service in services]
        needed = [size(service["limits"]["memory"]) * int(service["instances"]) for service in services]
        total = sum(one * times for one, times in zip(needed, sets, strict=True)) // 2**20
    except ValueError:
        return  # said already, for the service
    if total > int(memory_mb):
        yield (
            f"limits of all instances: found {total} MB of memory, expected at most the host's {memory_mb} MB; "
            "lower app_limits.memory or instances"
        )


def _settings_problems(service, secrets, required):
    known = set(service["environment"]) | set(service["secrets"])
    missing = [name for name in service.get("required_settings", required) if name not in known]
    if missing:
        yield f"found no {', '.join(missing)}, expected it in environment or secrets; add the required settings"
    empty = [key for key, value in service["environment"].items() if key in required and not str(value)]
    if empty:
        yield f"found {', '.join(empty)} empty, expected a value"
    unknown = sorted({name for name in service["secrets"].values() if not secrets.get(name)})
    if unknown:
        yield (
            f"found no secret {', '.join(unknown)}, expected it in platform_secrets or app_secret_values; "
            "run playbooks/secrets.yml"
        )
    both = sorted(set(service["environment"]) & set(service["secrets"]))
    if both:
        yield f"found {', '.join(both)} in environment and in secrets, expected one of them"
    odd = sorted(name for name in known if not VARIABLE.fullmatch(str(name)))
    if odd:
        yield f"found settings {', '.join(odd)}, expected capital letters, digits and '_'"


def _shape_problems(service, digest_required):
    if not NAME.fullmatch(str(service["name"])):
        yield "expected a name of small letters, digits and '-', at most 31 characters"
    if str(service["name"]).endswith("-green"):
        yield "expected a name that does not end in -green, as the second sets of blue_green do; give it another name"
    if not re.search(r"[:@][^/]+$", str(service["image"])):
        yield f"found image {service['image']}, expected a tag or a digest; without one it could be any version"
    if digest_required and not re.search(r"@sha256:[0-9a-f]{64}$", str(service["image"])):
        yield f"found image {service['image']}, expected a digest as app_digest_required says; write NAME@sha256:..."
    uid = str(service["user"]).split(":")
    if not all(part.isdigit() for part in uid) or uid[0] == "0":
        yield f"found user {service['user']}, expected numbers uid:gid other than root's"
    if service.get("port") and not str(service["health"].get("path") or "").startswith("/"):
        yield f"found health.path {service['health'].get('path')!r}, expected an absolute path"
    if not service.get("port") and not service["health"].get("command"):
        yield "found neither a port nor health.command, expected one of them: nothing could tell whether it is well"
    if int(service["instances"]) < 0:
        yield f"found {service['instances']} instances, expected 0 or more"


def _port_problems(services, offset):
    seen = {}
    sets = [("port", 0, ""), ("metrics_port", 0, "")] + ([("port", offset, " of the second set")] if offset else [])
    for service in services:
        for key, above, which in sets:
            for index in range(int(service["instances"])) if service.get(key) else ():
                number, label = int(service[key]) + index + above, f"{service['name']}.{key}{which}"
                if number in seen:
                    taken = f"found port {number} of {label} taken by {seen[number]}, expected each once"
                    yield f"service {service['name']}: {taken}"
                seen[number] = label


def problems(services, context):
    """Say what is wrong with services, one sentence each; never a secret's value."""
    complete = [merged(service, context["defaults"]) for service in services]
    found = []
    for service in complete:
        said = [
            *_shape_problems(service, context.get("digest_required")),
            *_settings_problems(service, context["secrets"], context["required"]),
            *_limit_problems(service),
        ]
        found += [f"service {service['name']}: {text}" for text in said]
    names = [service["name"] for service in complete]
    twice = sorted({name for name in names if names.count(name) > 1})
    found += [f"service {name}: found twice, expected each name once" for name in twice]
    offset = int(context.get("green_offset") or 0)
    found += _port_problems(complete, offset)
    found += _memory_problems(complete, context["memory_mb"], offset)
    for what in ("migration", "smoke"):
        found += _command_problems(f"app_{what}", context.get(what) or {}, names)
    return found


def _command_problems(what, given, names):
    if not given:
        return
    if given.get("service") not in names:
        yield f"{what}: found service {given.get('service')}, expected one of {', '.join(names) or '(none)'}"
    if not given.get("command"):
        yield f"{what}: found no command, expected it word by word"


def gates(made, rollout=None):
    """The gate of each instance: its health by HTTP, or by its own command.

    During a rollout an instance with a port has to answer well for some time, but not for what other services do.
    """
    rollout = dict(rollout or {})
    if float(rollout.get("window") or 0) and int(rollout["successes"]) < 2:
        rollout["successes"] = 2  # a window lies between two answers
    found = []
    for instance in made:
        health, asked = instance["health"], instance["gate"]
        name = instance["name"]
        gate_ = {"gate": f"{name} is well", "remedy": f"Read `docker logs {name}` and the checks in its answer."}
        if "url" in asked:
            gate_["module"] = "mainstay.platform.health_gate"
            gate_["args"] = {"kind": "http", "url": asked["url"], "timeout": float(health["timeout"])}
            if rollout:
                gate_["args"].update(rollout)
            elif health.get("expect_json"):
                gate_["args"]["expect_json"] = health["expect_json"]
        else:
            gate_["module"] = "ansible.builtin.command"
            gate_["args"] = {"argv": ["docker", "exec", instance["name"], *asked["command"]]}
        found.append(gate_)
    return found


def _image_problems(found, wanted, ids):
    if not found["State"]["Running"]:
        yield f"is {found['State']['Status']}"
    if found["Config"]["Image"] != wanted["image"]:
        yield f"runs {found['Config']['Image']} and not {wanted['image']}"
    if wanted["image"] in ids and found["Image"] != ids[wanted["image"]]:
        yield f"runs {found['Image'][:19]} and not {ids[wanted['image']][:19]}"
    if (found["Config"].get("Labels") or {}).get(MARK) != wanted["container"]["labels"][MARK]:
        yield "was made from other settings"


def _rights_problems(found, wanted):
    host = found["HostConfig"]
    if found["Config"]["User"].split(":")[0] in ("", "0", "root"):
        yield "runs as root"
    if host.get("Privileged"):
        yield "is privileged"
    if [str(item).upper() for item in host.get("CapDrop") or []] != ["ALL"] or host.get("CapAdd"):
        yield "has capabilities"
    if not any(str(item).startswith("no-new-privileges") for item in host.get("SecurityOpt") or []):
        yield "may gain privileges"
    if wanted["container"]["read_only"] and not host.get("ReadonlyRootfs"):
        yield "may write to its root"
    for port, bindings in (host.get("PortBindings") or {}).items():
        if any(binding.get("HostIp") in ("", "0.0.0.0", "::") for binding in bindings or []):
            yield f"publishes {port} on every address"


def _limit_findings(found, wanted):
    host, made = found["HostConfig"], wanted["container"]
    if int(host.get("Memory") or 0) != int(made["memory"]):
        yield f"has {int(host.get('Memory') or 0) // 2**20} MB of memory and not {int(made['memory']) // 2**20}"
    if int(host.get("NanoCpus") or 0) != int(float(made["cpus"]) * 10**9):
        yield f"has {(host.get('NanoCpus') or 0) / 10**9:g} processors and not {made['cpus']:g}"
    options = (host.get("LogConfig") or {}).get("Config") or {}
    if options != made["log_options"]:
        yield f"keeps logs by {options or 'no rule'} and not by {made['log_options']}"


def container_problems(containers, made, ids):
    """What is wrong with the containers of a host, by subject; each list is empty when nothing is."""
    by_name = {found["Name"].lstrip("/"): found for found in containers}
    problems_ = {"image": [], "rights": [], "limits": []}
    for wanted in made:
        found = by_name.get(wanted["name"])
        if not found:
            problems_["image"].append(f"{wanted['name']} is not there")
            continue
        judged = {
            "image": _image_problems(found, wanted, ids),
            "rights": _rights_problems(found, wanted),
            "limits": _limit_findings(found, wanted),
        }
        for subject, texts in judged.items():
            problems_[subject] += [f"{wanted['name']} {text}" for text in texts]
    return problems_
