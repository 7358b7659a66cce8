#!/bin/sh
# tests/molecule.sh [SCENARIO...]: every scenario of molecule/, two at a time; logs in .cache/molecule/.
# Ends with one line per scenario and fails when one failed.
set -eu
cd "$(dirname "$0")/.."
logs=.cache/molecule
mkdir -p "$logs"
[ $# -gt 0 ] || set -- $(cd molecule && for file in */molecule.yml; do echo "${file%/*}"; done)

one() {
    began=$(date +%s)
    if NO_COLOR=1 molecule test -s "$1" >"$logs/$1.log" 2>&1; then verdict=passed; else verdict=FAILED; fi
    printf '%-16s %5d s  %s\n' "$1" $(($(date +%s) - began)) $verdict | tee "$logs/$1.verdict"
    [ $verdict = passed ] || tail -n 40 "$logs/$1.log"
}

if [ "${MOLECULE_ONE:-}" ]; then
    one "$1"
    exit 0
fi
rm -f "$logs"/*.verdict
printf '%s\n' "$@" | MOLECULE_ONE=1 xargs -n 1 -P "${MOLECULE_JOBS:-2}" "$0"
echo
cat "$logs"/*.verdict
[ "$(cat "$logs"/*.verdict | grep -c passed)" = $# ]
