# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every link of the database is TLS that both its ends verify, as it is rendered; nothing in the roles turns that off.

The pooler's links are in test_pooler.py, the edge's checks in test_edge_checks.py.
"""

from __future__ import annotations

import re

import pytest
import yaml
from repository import ROOT, load, render_all

AUTHORITY, CERTIFICATE, KEY, LIST = (
    f"/etc/mainstay/tls/{name}" for name in ("ca.crt", "host.crt", "host.key", "ca.crl")
)
# Where a word that leaves something unverified may stand, and why.
ALLOWED = {
    "sslmode=disable": "gates that must be refused without TLS",
    "client_tls_sslmode = require": "the pooler's clients show a password, and verify its certificate",
}
UNVERIFIED = re.compile(
    r"(client_tls_sslmode = require|sslmode['\"]?[=: ]+['\"]?(?:disable|allow|prefer|require|verify-ca)\b"
    r"|verify none|insecure|skip.?verify|validate_certs: (?:false|no)|CERT_NONE|check_hostname = False"
    r"|_create_unverified)"
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    place = tmp_path_factory.mktemp("links")
    etcd = {"role": "etcd", "host": "db1", "templates": ["etcd"], "__etcd_bootstrap": True}
    patroni = {"role": "postgresql", "host": "db1", "templates": ["config.yml"]}
    for done in render_all([("render_role.yml", {"out": str(place), **each}) for each in (etcd, patroni)]):
        assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in (place / "etcd").read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines), yaml.safe_load((place / "config.yml").read_text())


def test_patronis_interface_is_verified_by_both_ends(rendered):
    _etcd, patroni = rendered
    server, client = patroni["restapi"], patroni["ctl"]
    assert (server["certfile"], server["keyfile"], server["cafile"]) == (CERTIFICATE, KEY, AUTHORITY)
    # Whoever changes something shows a certificate of the authority, and the password.
    assert server["verify_client"] in ("optional", "required") and server["authentication"]["password"]
    assert client == {"certfile": CERTIFICATE, "keyfile": KEY, "cacert": AUTHORITY}


def test_replication_and_rewind_verify_the_name_of_the_primary(rendered):
    accounts = rendered[1]["postgresql"]["authentication"]
    for name in ("replication", "rewind"):
        assert (accounts[name]["sslmode"], accounts[name]["sslrootcert"]) == ("verify-full", AUTHORITY)
    assert accounts["superuser"] == {"username": "postgres"}, "the superuser comes by the socket only"


def test_nobody_comes_to_the_server_without_tls(rendered):
    server = rendered[1]["postgresql"]
    for line in server["pg_hba"]:
        kind, *words = line.split()
        assert (
            kind == "hostssl" and words[-1] == "scram-sha-256" or words == ["all", "postgres", "peer", "map=mainstay"]
        )
        assert "0.0.0.0/0" not in line and "::/0" not in line and "trust" not in line
    settings = server["parameters"]
    assert (settings["ssl"], settings["ssl_min_protocol_version"]) == ("on", "TLSv1.2")
    assert (settings["ssl_cert_file"], settings["ssl_key_file"], settings["ssl_ca_file"]) == (
        CERTIFICATE,
        KEY,
        AUTHORITY,
    )
    assert settings["ssl_crl_file"] == LIST


def test_patroni_and_etcd_verify_each_other(rendered):
    etcd, patroni = rendered
    store = patroni["etcd3"]
    assert (store["protocol"], store["cacert"], store["cert"], store["key"]) == ("https", AUTHORITY, CERTIFICATE, KEY)
    for side in ("", "PEER_"):
        assert etcd[f"ETCD_{side}CLIENT_CERT_AUTH"] == "true"
        assert etcd[f"ETCD_{side}TRUSTED_CA_FILE"] == AUTHORITY
        assert etcd[f"ETCD_{side or 'CLIENT_'}CRL_FILE"] == LIST
        assert (etcd[f"ETCD_{side}CERT_FILE"], etcd[f"ETCD_{side}KEY_FILE"]) == (CERTIFICATE, KEY)
    urls = [url for name, value in etcd.items() if name.endswith("_URLS") for url in value.split(",")]
    assert len(urls) == 6 and all(url.startswith("https://") for url in urls), urls


def test_the_application_verifies_the_entries():
    options = load(ROOT / "roles/app/defaults/main.yml")["app_database_options"]
    assert options == {"sslmode": "verify-full", "sslrootcert": "{{ platform_tls_ca }}"}
    assert not [path for path in (ROOT / "inventories").rglob("*.yml") if "app_database_options" in path.read_text()]


def test_nothing_turns_verification_off():
    found = {}
    for folder in ("roles", "plugins", "playbooks", "inventories"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".yml", ".j2", ".py"} or path.parent.name == "files" and path.is_file():
                for word in UNVERIFIED.findall(path.read_text()):
                    found.setdefault(word, []).append(str(path.relative_to(ROOT)))
    assert set(found) == set(ALLOWED), {word: found[word] for word in set(found) - set(ALLOWED)}
    assert set(found["sslmode=disable"]) == {f"roles/{role}/tasks/verify.yml" for role in ("pgbouncer", "postgresql")}
