# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A container engine that is a JSON file per host, for rollouts that meet no host. Modules beside it take its words."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ansible.module_utils import basic

COMPARED = ("image", "env", "labels", "published_ports")


def path():
    return Path(os.environ["ENGINE"]) / f"{os.environ['WARM_HOST']}.json"


def load():
    return json.loads(path().read_text()) if path().exists() else {"containers": {}, "images": {}}


def save(state):
    path().write_text(json.dumps(state))


def arguments():
    given = json.loads(basic._ANSIBLE_ARGS)["ANSIBLE_MODULE_ARGS"]
    return given, given.get("_ansible_check_mode", False)


def answer(**result):
    print(json.dumps({"changed": False, **result}))
    sys.exit(0)


def container():
    given, check = arguments()
    state = load()
    name, there = given["name"], state["containers"].get(given["name"])
    if given["state"] == "absent":
        if there and not check:
            del state["containers"][name]
            save(state)
        answer(changed=bool(there))
    wanted = {key: given.get(key) for key in COMPARED} | {"running": True, "id": state["images"].get(given["image"])}
    differs = not there or any(there.get(key) != value for key, value in wanted.items())
    if differs and not check:
        plain = {key: value for key, value in given.items() if not key.startswith("_")}
        state["containers"][name] = wanted | {"given": plain}
        state.setdefault("log", []).append(f"{name} {given['image']}")
        save(state)
    answer(changed=differs, actions=["start"] if differs else [])


def host_info():
    answer(containers=[{"Names": [f"/{name}"]} for name in load()["containers"]])


def image_info():
    images = load()["images"]
    found = [(name, images.get(name) or (name if name in images.values() else "")) for name in arguments()[0]["name"]]
    answer(images=[{"Id": identity, "RepoTags": [name]} for name, identity in found if identity])


def image_pull():
    given, _check = arguments()
    state = load()
    if given["name"] in state["images"]:
        answer()
    if "missing" in given["name"]:
        print(json.dumps({"failed": True, "msg": f"{given['name']}: not found in the registry"}))
        sys.exit(1)
    state["images"][given["name"]] = f"sha256:{given['name']}"
    save(state)
    answer(changed=True)


def image_remove():
    given, _check = arguments()
    state = load()
    left = {name: identity for name, identity in state["images"].items() if given["name"] not in (name, identity)}
    changed = left != state["images"]
    save({**state, "images": left})
    answer(changed=changed)
