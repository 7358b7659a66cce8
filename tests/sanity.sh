#!/usr/bin/env bash
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Runs `ansible-test sanity` on a copy of this checkout, the files that are not committed yet included.
# A copy, because ansible-test wants the path ansible_collections/mainstay/platform and no git tree around it:
# otherwise it tests nothing and says that all is well. Arguments are passed on, e.g. `--test validate-modules`.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
place=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mainstay-sanity
if [ -e "$root/.venv/bin/activate" ]; then
    PATH="$root/.venv/bin:$PATH"
fi
mkdir -p "$place"
if git -C "$place" rev-parse --git-dir >/dev/null 2>&1; then
    place=$(mktemp -d)
    trap 'rm -rf "$place"' EXIT
fi

# One run at a time in one place.
exec 9>"$place/lock"
flock 9

tree=$place/ansible_collections/mainstay/platform
rm -rf "$tree"
mkdir -p "$tree"
cd "$root"
# What is shipped, and the tests of the plugins. The rest is linted by `make lint`.
git ls-files -z --cached --others --exclude-standard -- \
    galaxy.yml README.md meta plugins roles playbooks tests/sanity tests/unit/plugins | while IFS= read -r -d '' file; do
    [ -e "$file" ] && printf '%s\0' "$file"
done | tar --null --files-from=- --create --file=- | tar --extract --directory "$tree" --file=-

# ansible-test makes its environments without pip and then downloads it from a place that many networks cannot
# reach. Python brings one: this stand-in takes it from there. Everything else comes from the package index.
home=$place/home
mkdir -p "$home/.ansible/test/cache"
cat >"$home/.ansible/test/cache/get_pip_24_2.py" <<'PIP'
import ensurepip

ensurepip.bootstrap(upgrade=True, default_pip=True)
PIP

log=$place/log
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
cd "$tree"
status=0
HOME=$home LC_ALL=C.UTF-8 ansible-test sanity --color no --python "$version" "$@" >"$log" 2>&1 || status=$?
grep -e '^Running' -e '^WARNING' -e '^ERROR' -e '^FATAL' "$log" || true
if grep -q -e 'No tests applicable' -e 'All targets skipped' "$log"; then
    # Single tests may have nothing to look at; a run in which no test did is no proof.
    if ! grep -q '^Running sanity test' "$log" || grep -q 'All targets skipped' "$log"; then
        echo "sanity: found no test that ran; expected some; see $log" >&2
        exit 1
    fi
fi
[ "$status" -eq 0 ] && echo "sanity: passed"
exit "$status"
