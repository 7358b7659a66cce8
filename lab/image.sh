#!/bin/sh
# lab/image.sh RELEASE: builds the image mainstay-host:RELEASE when it is missing or its recipe changed.
# With Debian's tools as root it comes straight from the Debian mirror; elsewhere from lab/image/Dockerfile.
set -eu
cd "$(dirname "$0")/.."
release=${1:?usage: lab/image.sh trixie|bookworm}
case $release in
    trixie | bookworm) ;;
    *) echo "lab/image: release '$release' is not known: give trixie or bookworm" >&2; exit 2 ;;
esac
image=mainstay-host:$release
recipe=$(cat lab/image.sh lab/image/* | cksum | tr ' ' -)
label=mainstay.recipe

say() { echo "lab/image: $*"; }
built=$(docker image inspect --format "{{ index .Config.Labels \"$label\" }}" "$image" 2>/dev/null || true)
if [ "$built" = "$recipe" ]; then
    say "$image is there"
    exit 0
fi

mkdir -p .cache
log=$PWD/.cache/image-$release.log
if command -v mmdebstrap >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    say "building $image from the Debian mirror, log in .cache/image-$release.log"
    proxy=
    if python3 -c "import socket; socket.create_connection(('127.0.0.1', 3142), 2)" 2>/dev/null; then
        proxy='Acquire::http::Proxy "http://127.0.0.1:3142";'
    fi
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    mmdebstrap --variant=minbase --mode=root --dpkgopt=force-unsafe-io \
        --include="$(tr '\n' , <lab/image/packages | sed 's/,$//')" \
        --aptopt='Acquire::Languages "none"' --skip=cleanup/apt/lists --aptopt='Acquire::http::Timeout "30"' \
        ${proxy:+--aptopt="$proxy"} \
        --customize-hook='copy-in lab/image/lab-init lab/image/setup.sh /tmp' \
        --customize-hook="chroot \"\$1\" sh /tmp/setup.sh $release" \
        "$release" "$tree/root.tar" >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; say "mmdebstrap failed, see $log" >&2; exit 1; }
    docker import --change 'CMD ["/sbin/lab-init"]' --change 'ENV container=docker' \
        --change "LABEL $label=$recipe" "$tree/root.tar" "$image" >>"$log"
else
    say "building $image from lab/image/Dockerfile"
    docker build --quiet --build-arg "RELEASE=$release" --label "$label=$recipe" --tag "$image" lab/image >"$log"
fi
say "$image is built"
