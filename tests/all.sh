#!/bin/sh
# Every test, part by part; says what each took, and ends with how many parts passed and failed.
set -u
cd "$(dirname "$0")/.."
passed=0
failed=0
table=

part() {
    name=$1
    shift
    began=$(date +%s)
    echo "=== $name"
    if "$@"; then
        verdict=passed
        passed=$((passed + 1))
    else
        verdict=FAILED
        failed=$((failed + 1))
    fi
    table="$table$(printf '%-24s %5d s  %s' "$name" $(($(date +%s) - began)) $verdict)
"
}

for name in ${PARTS:-tools lint unit sanity molecule site}; do
    part "$name" make --no-print-directory "$name"
done
printf '\n%s\n%d passed, %d failed\n' "$table" $passed $failed
[ $failed = 0 ]
