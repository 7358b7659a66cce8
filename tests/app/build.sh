#!/bin/sh
# tests/app/build.sh VERSION [IMAGE [FAULT]]: builds the sample application as an image archive,
# .cache/app/mainstay-sample-VERSION.tar.gz, which `docker load` reads under the name IMAGE.
# Needs no registry and, with Debian's tools as root, no engine: the layers are made from the Debian
# mirror and from wheels. Elsewhere the engine builds it from tests/app/Dockerfile. Each layer is made
# again only when what it is made of has changed. FAULT bakes in a bad version: see sample/faults.py.
set -eu
cd "$(dirname "$0")/../.."
version=${1:?usage: tests/app/build.sh VERSION [IMAGE [FAULT]]}
image=${2:-datacraft/apg-cash-management:$version}
fault=${3:-}
release=trixie
python=3.13
cache=.cache/app
archive=$cache/mainstay-sample-$version.tar.gz
mkdir -p "$cache"

say() { echo "app/build: $*"; }
key() { cksum | tr ' ' -; }
sources=$(find tests/app/sample tests/app/manage.py -name '*.py' | LC_ALL=C sort)
# shellcheck disable=SC2086
source_key=$(cat $sources | key)
lib_key=$(cat tests/app/requirements.txt tests/app/build.sh | key)
wanted="$version $image $fault $source_key $lib_key $(key <tests/app/archive.py)"
if [ -f "$archive" ] && [ "$(cat "$archive.made" 2>/dev/null)" = "$wanted" ]; then
    say "$archive is there"
    exit 0
fi

if ! command -v mmdebstrap >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
    say "building $image from tests/app/Dockerfile"
    docker build --quiet --build-arg "VERSION=$version" --build-arg "FAULT=$fault" --tag "$image" tests/app >/dev/null
    docker save "$image" | gzip -1n >"$archive.new"
    mv "$archive.new" "$archive"
    echo "$wanted" >"$archive.made"
    exit 0
fi

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
log=$cache/build.log
base=$cache/base-$(key <tests/app/build.sh).tar
if [ ! -f "$base" ]; then
    say "making the base from the Debian mirror, log in $log"
    proxy=
    if python3 -c "import socket; socket.create_connection(('127.0.0.1', 3142), 2)" 2>/dev/null; then
        proxy='Acquire::http::Proxy "http://127.0.0.1:3142";'
    fi
    mmdebstrap --variant=apt --mode=root --include=python3-minimal,libpython3-stdlib,ca-certificates --aptopt='Acquire::Languages "none"' \
        --dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/man/* \
        --dpkgopt=path-exclude=/usr/share/locale/* --dpkgopt=path-exclude=/usr/lib/x86_64-linux-gnu/gconv/* \
        ${proxy:+--aptopt="$proxy"} "$release" "$tree/base" >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; exit 1; }
    rm -rf "$tree/base/var/lib/apt/lists" "$tree/base/var/cache" "$tree/base/var/log" "$tree/base/dev"
    mkdir -p "$tree/base/dev" "$tree/base/var/cache" "$tree/base/var/log"
    # All times become 0, which makes what Debian has compiled invalid: every start of Python would compile for half a second.
    chroot "$tree/base" python3 -m compileall -q --invalidation-mode unchecked-hash "/usr/lib/python$python" >>"$log" 2>&1
    tar --sort=name --mtime=@0 --numeric-owner -C "$tree/base" -cf "$base.new" .
    rm -f "$cache"/base-*.tar
    mv "$base.new" "$base"
    rm -rf "$tree/base"
fi

lib=$cache/lib-$lib_key.tar
if [ ! -f "$lib" ]; then
    say "collecting the wheels"
    mkdir -p "$tree/root/opt/app/lib"
    tar -C "$tree/root" -xf "$base"
    machine=$(uname -m)
    python3 -m pip install --quiet --no-deps --no-compile --only-binary :all: --python-version "$python" \
        --platform "manylinux2014_$machine" --platform "manylinux_2_28_$machine" --platform "manylinux_2_34_$machine" \
        --target "$tree/root/opt/app/lib" -r tests/app/requirements.txt >>"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; exit 1; }
    rm -rf "$tree/root/opt/app/lib/bin"
    find "$tree/root/opt/app/lib" -type d \( -name tests -o -name testing \) -prune -exec rm -rf {} +
    # The root of a running container is read-only: compile now.
    chroot "$tree/root" python3 -m compileall -q --invalidation-mode unchecked-hash /opt/app/lib >>"$log" 2>&1
    tar --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 -C "$tree/root" -cf "$lib.new" opt/app
    rm -f "$cache"/lib-*.tar
    mv "$lib.new" "$lib"
    rm -rf "$tree/root"
fi

mkdir -p "$tree/app/opt/app"
cp -r tests/app/sample tests/app/manage.py "$tree/app/opt/app/"
find "$tree/app" -name __pycache__ -prune -exec rm -rf {} +
chmod -R a+rX,go-w "$tree/app"
tar --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 -C "$tree/app" -cf "$tree/app.tar" opt/app
python3 tests/app/archive.py --image "$image" --env "APP_VERSION=$version" ${fault:+--env "APP_FAULT=$fault"} \
    --output "$archive" "$base" "$lib" "$tree/app.tar"
echo "$wanted" >"$archive.made"
say "$image is in $archive ($(du -h "$archive" | cut -f1))"
