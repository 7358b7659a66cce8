# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges backups from what pgBackRest and the file system say. Pure; private to this collection."""

from __future__ import annotations

import re

WAL_NAME = re.compile(r"(?:^|/)([0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?$")


def hours(seconds):
    return round(max(0, seconds) / 3600, 2)


def judge_stanza(info, name, limits, now):
    """Problems and figures of one stanza in the output of pgbackrest info.

    `limits` holds max_backup_age_hours, max_full_age_hours and encrypted; `now` is in seconds since the epoch.
    """
    found = {"problems": [], "label": "", "wal_start": "", "evidence": ""}
    found.update(backup_age_hours=None, full_age_hours=None)
    stanza = next((item for item in info if item["name"] == name), None)
    if stanza is None:
        found["problems"].append(f"stanza {name}: found none; expected it; run pgbackrest stanza-create")
        return found
    problems = found["problems"]
    problems += _status_problems(stanza, name, limits["encrypted"])
    good = [item for item in stanza.get("backup") or [] if not item.get("error")]
    for item in stanza.get("backup") or []:
        if item.get("error"):
            problems.append(
                f"backup {item['label']}: found page checksum errors; expected none; check the server's disk"
            )
    full = [item for item in good if item["type"] == "full"]
    for kind, backups, key in (("backup", good, "backup_age_hours"), ("full backup", full, "full_age_hours")):
        found[key], problem = _age(backups, f"stanza {name}", kind, limits[f"max_{key}"], now)
        problems += problem
    if good:
        found["label"] = good[-1]["label"]
        found["evidence"] = f"stanza {name}: newest backup {found['label']} {found['backup_age_hours']} hours old"
    if full:
        found["wal_start"] = (full[-1].get("archive") or {}).get("start") or ""
        problems += _archive_problems(stanza, name, good[-1])
    return found


def _age(backups, owner, kind, limit, now):
    """Hours since the newest of the backups, and the problem with that, if any."""
    if not backups:
        return None, [f"{owner}: found no {kind}; expected one not older than {limit:g} hours; run the backup"]
    age = hours(now - backups[-1]["timestamp"]["stop"])
    if age <= limit:
        return age, []
    return age, [
        f"{owner}: found the newest {kind} {backups[-1]['label']} {age} hours old; "
        f"expected at most {limit:g}; run the backup and read its log"
    ]


def _status_problems(stanza, name, encrypted):
    """Problems of the stanza and its repositories as pgBackRest sees them."""
    problems = []
    for repo in stanza.get("repo") or [{"key": 1, **stanza}]:
        status = repo.get("status") or {}
        if status.get("code"):
            problems.append(
                f"stanza {name} in repository {repo['key']}: found status {status.get('message')!r}; expected ok; "
                "read pgbackrest's log"
            )
        if encrypted and repo.get("cipher", "none") == "none":
            problems.append(
                f"repository {repo['key']}: found no encryption; expected it; set repo-cipher-type and make the "
                "stanza anew"
            )
    return problems


def _archive_problems(stanza, name, newest):
    """The WAL that the newest backup needs has to be in the archive."""
    needed = (newest.get("archive") or {}).get("stop")
    identity = f"{newest['database']['id']}"
    kept = [item for item in stanza.get("archive") or [] if str(item["database"]["id"]) == identity and item.get("max")]
    if not kept:
        return [f"stanza {name}: found no archived WAL; expected some; check archive_command and PostgreSQL's log"]
    # The first eight digits are the timeline: only the place within it is compared.
    if needed and max(item["max"][8:] for item in kept) < needed[8:]:
        return [
            f"stanza {name}: found WAL archived up to {kept[-1]['max']}; expected {needed}, which backup "
            f"{newest['label']} needs; check archive_command"
        ]
    return []


def wal_position(name):
    """The number of a segment from the start of the cluster's life, with segments of 16 MB."""
    return int(name[8:16], 16) * 256 + int(name[16:24], 16)


def judge_wal(paths, start):
    """Gaps in the archived segments from `start` on, over the paths that repo-ls lists."""
    names = sorted({match.group(1) for match in map(WAL_NAME.search, paths) if match})
    positions = sorted({wal_position(name) for name in names if not start or name[8:] >= start[8:]})
    gaps = [(one + 1, two - 1) for one, two in zip(positions, positions[1:], strict=False) if two - one > 1]
    problems = [
        f"WAL archive: found a gap of {last - first + 1} segments after position {first - 1:#x}; "
        "expected every segment since "
        f"{start}; take a new full backup, for nothing older can be restored past the gap"
        for first, last in gaps
    ]
    return {"problems": problems, "wal_segments": len(positions), "wal_last": names[-1] if names else ""}


def judge_files(wanted, found, now):
    """Problems and rows of plain backup files.

    `wanted` holds dictionaries with pattern, max_age_hours and min_bytes,
    `found` gives [{path, mtime, size}] by pattern.
    """
    problems, rows = [], []
    for item in wanted:
        files = sorted(found[item["pattern"]], key=lambda row: row["mtime"])
        if not files:
            problems.append(f"files {item['pattern']}: found none; expected one; run the job that makes them")
            continue
        newest = files[-1]
        age = hours(now - newest["mtime"])
        rows.append({"path": newest["path"], "age_hours": age, "bytes": newest["size"], "count": len(files)})
        if age > item["max_age_hours"]:
            problems.append(
                f"file {newest['path']}: found it {age} hours old, the newest of {item['pattern']}; "
                f"expected at most {item['max_age_hours']:g}; run the job that makes it and read its log"
            )
        if newest["size"] < item["min_bytes"]:
            problems.append(
                f"file {newest['path']}: found {newest['size']} bytes; expected at least {item['min_bytes']}; "
                "read the log of the job that makes it"
            )
    return {"problems": problems, "files": rows}
