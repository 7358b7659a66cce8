"""No secret shows in output, process lists, logs or files that others may read."""

from __future__ import annotations

from tests.lab import Lab

READABLE_BY_OTHERS = (
    "find / -xdev \\( -path /proc -o -path /sys -o -path /root/.needles \\) -prune"
    " -o -type f -perm -o=r -size -20M -print0 | xargs -0 grep -lFf /root/.needles || true"
)
LOGS = "{ grep -rhoFf /root/.needles /var/log; journalctl --no-pager | grep -oFf /root/.needles; } | sort -u"
SAMPLER = "seq 600"
SAMPLE = (
    f"nohup bash -c 'for i in $({SAMPLER}); do cat /proc/[0-9]*/cmdline 2>/dev/null; echo; sleep 0.5; done'"
    " > /root/.cmdlines 2>/dev/null & echo started"
)


def names_in(text: str, secrets: dict[str, str]) -> set[str]:
    """Names, never values: a failing test must not print what it found."""
    return {name for name, value in secrets.items() if value in text}


def test_output_of_a_run_at_vvv(lab: Lab):
    run = lab.playbook("site", "-vvv")
    assert run.status == 0, run.tail()
    assert names_in(run.output, lab.secrets()) == set()


def test_process_lists_logs_and_readable_files(lab: Lab):
    secrets = lab.secrets()
    for host in lab.hosts:
        lab.shell(host, SAMPLE)
    run = lab.playbook("verify", "-vvv")
    assert names_in(run.output, secrets) == set()
    for host in lab.hosts:
        lab.shell(host, "pkill -f '[s]eq 600' || true")
        lab.shell(host, "umask 077; cat > /root/.needles", stdin="\n".join(secrets.values()) + "\n")
        assert names_in(lab.shell(host, "cat /root/.cmdlines"), secrets) == set(), f"{host}: process list"
        assert names_in(lab.shell(host, LOGS, check=False), secrets) == set(), f"{host}: logs"
        assert lab.shell(host, READABLE_BY_OTHERS) == "", f"{host}: readable by others"
        lab.shell(host, "rm -f /root/.needles /root/.cmdlines")
