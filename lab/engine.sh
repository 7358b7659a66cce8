#!/bin/sh
# Makes sure that a container engine answers, and on Debian an apt cache beside it.
# Safe to repeat: what already runs is used as it is.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .cache

# The cache listens on loopback and on an address of its own that only this machine's bridges can
# reach: not on docker0, because hosts that run Docker themselves have their own docker0 there.
CACHE_ADDRESS=172.30.255.1
CACHE_PORT=3142
CACHE_CONFIG=/run/mainstay-apt-cache

say() { echo "lab/engine: $*"; }
die() { say "$*" >&2; exit 1; }
engine_answers() { docker info >/dev/null 2>&1; }
cache_answers() { python3 -c "import socket; socket.create_connection(('$1', $CACHE_PORT), 2)" 2>/dev/null; }
have() { command -v "$1" >/dev/null 2>&1; }
may_install() { [ "$(id -u)" = 0 ] && have apt-get; }

# until_true SECONDS COMMAND...: asks five times a second until the command is content.
until_true() {
    tries=$(($1 * 5)); shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.2
    done
}

install_missing() {
    missing=
    wanted_cli=
    # A client alone is no engine; a client that is told of an engine elsewhere is left at that.
    have dockerd || [ "${DOCKER_HOST:-}" ] || engine_answers || missing="$missing docker.io"
    have docker || wanted_cli=1
    have iptables || missing="$missing iptables"
    have mmdebstrap || missing="$missing mmdebstrap"
    have apt-cacher-ng || missing="$missing apt-cacher-ng"
    have ssh || missing="$missing openssh-client"
    [ -n "$missing$wanted_cli" ] || return 0
    say "installing$missing"
    # The package would start a cache that listens on every address; ours is started below.
    echo apt-cacher-ng apt-cacher-ng/tunnelenable boolean false | debconf-set-selections 2>/dev/null || true
    had_cache=; have apt-cacher-ng && had_cache=1
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update >.cache/engine-install.log 2>&1 || die "apt-get update failed; see .cache/engine-install.log"
    # From Debian 13 on the client is a package of its own.
    [ -z "$wanted_cli" ] || [ -z "$(apt-cache pkgnames docker-cli)" ] || missing="$missing docker-cli"
    # shellcheck disable=SC2086
    apt-get -qy install --no-install-recommends $missing >>.cache/engine-install.log 2>&1 ||
        die "apt-get could not install$missing; see .cache/engine-install.log"
    [ -z "$had_cache" ] || return 0
    if [ -d /run/systemd/system ]; then
        systemctl --quiet disable --now apt-cacher-ng.service
    else
        service apt-cacher-ng stop >/dev/null 2>&1 || true # most likely it never started
    fi
}

start_engine() {
    have dockerd || die "no container engine answers 'docker info'; install or start one (Docker Desktop, docker.io)"
    if [ -d /run/systemd/system ]; then
        systemctl start docker.service
    else
        say "starting dockerd, log in .cache/dockerd.log"
        setsid nohup dockerd >>.cache/dockerd.log 2>&1 </dev/null &
    fi
    until_true 60 engine_answers || die "dockerd does not answer after 60 s; its last words: $(tail -n 3 .cache/dockerd.log 2>/dev/null)"
}

start_cache() {
    ip address show dev lo | grep -q " $CACHE_ADDRESS/32 " || ip address add "$CACHE_ADDRESS/32" dev lo
    cache_answers "$CACHE_ADDRESS" && return 0
    say "starting the apt cache on $CACHE_ADDRESS:$CACHE_PORT"
    # The daemon is an unprivileged user, who may not be able to read this folder.
    install -D -m 0644 lab/apt-cache/acng.conf "$CACHE_CONFIG/acng.conf"
    setsid nohup setpriv --reuid apt-cacher-ng --regid apt-cacher-ng --clear-groups \
        apt-cacher-ng -c "$CACHE_CONFIG" "Port=$CACHE_PORT" "BindAddress=127.0.0.1 $CACHE_ADDRESS" >>.cache/apt-cache.log 2>&1 </dev/null &
    until_true 20 cache_answers "$CACHE_ADDRESS" || die "the apt cache does not answer; see .cache/apt-cache.log"
}

# Each systemd takes several inotify instances of its user, all of them root's here; Linux allows 128.
raise_inotify() {
    limit=/proc/sys/fs/inotify/max_user_instances
    [ "$(cat $limit)" -ge 2048 ] || echo 2048 >$limit
}

engine_answers || { ! may_install || install_missing; engine_answers || start_engine; }
if [ "$(uname)" = Linux ]; then
    may_install && install_missing
    if [ "$(id -u)" = 0 ] && have apt-cacher-ng; then start_cache; fi
fi
if [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ]; then raise_inotify; fi
say "engine $(docker info --format '{{.ServerVersion}} ({{.Driver}}, cgroup v{{.CgroupVersion}})')"
