# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directives of redis.conf and sentinel.conf, read, compared and merged. Pure; private to this collection.

The servers rewrite these files themselves, so text is never compared: a file is a list of lines, each with a key.
"""

from __future__ import annotations

import re
import shlex

UNITS = {"k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
SIZE = re.compile(r"^(\d+)(kb|mb|gb|k|m|g)$")
# Options of one watched master that a role sets; every other line about a master belongs to the Sentinel.
MASTER_OPTIONS = ("down-after-milliseconds", "failover-timeout", "parallel-syncs", "auth-user", "auth-pass")
# Sentinel leaves these out of its file when they have their default.
SENTINEL_DEFAULTS = {
    "down-after-milliseconds": "30000",
    "failover-timeout": "180000",
    "parallel-syncs": "1",
    "resolve-hostnames": "no",
    "announce-hostnames": "no",
    "deny-scripts-reconfig": "yes",
}
# Valkey writes them by the other name and answers to both.
SAME = {"primaryuser": "masteruser", "primaryauth": "masterauth"}
# Directives whose words are one argument.
ONE_ARGUMENT = ("tls-protocols", "tls-ciphers", "tls-ciphersuites", "proc-title-template")
# A server refuses its ACL file when its configuration file has these too.
BESIDE_ACL_FILE = ("user", "requirepass")


def split_words(line):
    """The words of a directive, without quotes; none for comments and empty lines."""
    text = line.strip()
    if not text or text.startswith("#"):
        return []
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def key_of(words):
    """What a directive is about: its name, and for Sentinel's own the option and the master's name."""
    name = SAME.get(words[0].lower(), words[0].lower())
    if name != "sentinel" or len(words) < 2:
        return name
    option = words[1].lower()
    return (
        f"sentinel {option} {words[2]}"
        if len(words) > 3 and option not in ("rename-command",)
        else f"sentinel {option}"
    )


def parse(text):
    """{key: [arguments as one string, ...]} of a configuration file."""
    found = {}
    for line in text.splitlines():
        words = split_words(line)
        if words:
            key = key_of(words)
            found.setdefault(key, []).append(" ".join(words[len(key.split(" ")) :]))
    return found


def as_items(value):
    """A setting as a list of strings, one per line of the file."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return [str(value)]


def canonical(key, value):
    """A comparable form: sizes in bytes, old names of roles, flags in any order."""
    text = " ".join(item for item in as_items(value) if item)
    if key == "notify-keyspace-events":
        return "".join(sorted(text))
    words = []
    for word in text.split():
        size = SIZE.match(word.lower())
        words.append(str(int(size.group(1)) * UNITS[size.group(2)]) if size else {"slave": "replica"}.get(word, word))
    return " ".join(words)


def same(key, found, wanted):
    return found is not None and canonical(key, found) == canonical(key, wanted)


def quoted(word):
    """A word as the servers read it back."""
    return (
        word
        if re.fullmatch(r"[\w./:~*&+@|%,=-]+", word)
        else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )


def lines_for(key, value):
    """The lines of the file for one setting."""
    items = as_items(value) or [""]
    if key in ONE_ARGUMENT:
        return [f"{key} {quoted(item)}" for item in items]
    # A value with spaces is several arguments; the empty one has to be written out.
    return [f"{key} " + (" ".join(quoted(word) for word in item.split()) or '""') for item in items]


def merge(text, wanted):
    """The file with the wanted settings in it. Everything else, and what is right already, stays as it is."""
    found = parse(text)
    wrong = {key: wanted[key] for key in changed_keys(found, wanted)}
    dropped = [key for key in BESIDE_ACL_FILE if key in found and "aclfile" in wanted]
    kept = []
    for line in text.splitlines():
        words = split_words(line)
        if not words or (key_of(words) not in wrong and key_of(words) not in dropped):
            kept.append(line)
    for key, value in wrong.items():
        kept += lines_for(key, value)
    return "\n".join(kept) + "\n" if wrong or dropped else text


def changed_keys(found, wanted):
    """The wanted settings that a parsed file does not hold."""
    return [key for key, value in wanted.items() if not same(key, found.get(key, default_of(key)), value)]


def default_of(key):
    """What a Sentinel means by leaving a line out; None where that means nothing."""
    words = key.split(" ")
    return SENTINEL_DEFAULTS.get(words[1]) if words[0] == "sentinel" and len(words) > 1 else None


def other_role(parsed, info):
    """What a restart would change of a server's role, empty when its file says the same as INFO.

    A server that may not write its file becomes master or replica all the same, until it starts again. The nodes of a
    cluster keep their roles elsewhere.
    """
    if not info.get("role") or info.get("cluster_enabled") == "1":
        return ""
    lines = parsed.get("replicaof") or parsed.get("slaveof")
    found = f"replicaof {lines[-1]}" if lines else "a master"
    live = f"replicaof {info['master_host']} {info['master_port']}" if info["role"] == "slave" else "a master"
    return "" if found == live else f"role in the file: found {found}, expected {live}"


def watched(parsed):
    """{name: "address port quorum"} of the masters that a sentinel.conf watches."""
    prefix = "sentinel monitor "
    return {key[len(prefix) :]: values[-1] for key, values in parsed.items() if key.startswith(prefix)}


def forget_others(text, name):
    """A sentinel.conf without the masters of other names, such as the package's example."""
    others = {other for other in watched(parse(text)) if other != name}
    if not others:
        return text
    kept = [
        line
        for line in text.splitlines()
        if not (set(split_words(line)[2:3]) & others and split_words(line)[0].lower() == "sentinel")
    ]
    return "\n".join(kept) + "\n"


def sentinel_wanted(name, monitor, quorum, settings):
    """The lines wanted in a sentinel.conf. `monitor` is the watched "address port", empty when nobody knows it yet."""
    wanted = {key: value for key, value in settings.items() if key not in MASTER_OPTIONS}
    if monitor:
        wanted[f"sentinel monitor {name}"] = f"{monitor} {quorum}"
        wanted.update({f"sentinel {key} {name}": value for key, value in settings.items() if key in MASTER_OPTIONS})
    return wanted


def parse_users(text):
    """Users of an ACL file or of ACL LIST: {name: {"commands": rules in order, "rest": passwords and patterns}}."""
    users = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "user":
            users[words[1]] = _user_rules(words[2:])
    return users


def _user_rules(words):
    spoken = {"allkeys": "~*", "allchannels": "&*", "allcommands": "+@all", "nocommands": "-@all"}
    implied = ("sanitize-payload", "resetchannels", "resetkeys", "reset", "off")
    words = [spoken.get(word, word) for word in words if word not in implied]
    return {
        "commands": [word.lower() for word in words if word[0] in "+-"],
        "rest": sorted(word for word in words if word[0] not in "+-"),
    }


def allowed_commands(rules, members):
    """The commands that rules allow, for releases write the same rules differently.

    `members` gives the commands of a category.
    """
    everything = set(members("slow")) | set(members("fast"))
    containers = {name.split("|")[0] for name in everything if "|" in name}
    allowed = set()
    for rule in rules:
        word = rule[1:]
        if word == "@all":
            names = everything
        elif word.startswith("@"):
            names = set(members(word[1:]))
        else:
            names = {word} | {name for name in everything if name.startswith(word + "|")}
        allowed = allowed | names if rule[0] == "+" else allowed - names
    return allowed - containers


def different_users(wanted, live, members):
    """Names of users that are missing, not wanted, or allowed something else."""
    return sorted(
        name
        for name in set(wanted) | set(live)
        if name not in wanted
        or name not in live
        or wanted[name]["rest"] != live[name]["rest"]
        or allowed_commands(wanted[name]["commands"], members) != allowed_commands(live[name]["commands"], members)
    )


def _passwords(user):
    return [word for word in user["rest"] if word.startswith("#")]


def new_passwords(wanted, live, drop=False):
    """The words of ACL SETUSER that let wanted passwords in, and with `drop` the others out."""
    words = [word for word in _passwords(wanted) if word not in live["rest"]]
    return words + ["!" + word[1:] for word in _passwords(live) if drop and word not in wanted["rest"]]


def same_rules(name, wanted, live, members):
    """Whether a user differs by passwords only."""
    if name not in wanted or name not in live:
        return False
    others = [word for word in live[name]["rest"] if not word.startswith("#")]
    alike = {"commands": live[name]["commands"], "rest": sorted(_passwords(wanted[name]) + others)}
    return not different_users({name: wanted[name]}, {name: alike}, members)
