#!/bin/sh
# Fetch promtool and amtool from Debian's packages into .cache/tools, without installing or starting anything.
# Where both are on the PATH already, nothing is fetched.
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/.cache/tools
if command -v promtool >/dev/null && command -v amtool >/dev/null; then exit 0; fi
if [ -x "$tools/promtool" ] && [ -x "$tools/amtool" ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then
    echo "tests/tools.sh: found neither promtool and amtool nor apt-get; install Prometheus and Alertmanager, so that both tools are on the PATH" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# Since Debian 13 promtool is a package of its own; before, it comes with the server.
promtool=promtool
apt-cache show promtool >/dev/null 2>&1 || promtool=prometheus
fetch() { apt-get download -q -o APT::Sandbox::User=root "$promtool" prometheus-alertmanager; }
fetch || { apt-get update -q && fetch; }
for package in ./*.deb; do dpkg-deb -x "$package" "$work/files"; done
mkdir -p "$tools"
install -m 0755 "$work/files/usr/bin/promtool" "$work/files/usr/bin/amtool" "$tools/"
