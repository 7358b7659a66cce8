#!/bin/sh
# lab/remove.sh LAB_NAME: removes the containers with their volumes and the network that carry the
# label of that lab, and its folder of keys. Prints what it removed.
set -eu
name=${1:?usage: lab/remove.sh LAB_NAME}
case $name in *[!A-Za-z0-9_-]*) echo "lab/remove: '$name' is not the name of a lab" >&2; exit 2 ;; esac
label=label=mainstay.lab=$name

containers=$(docker ps --all --quiet --filter "$label")
# shellcheck disable=SC2086
[ -z "$containers" ] || docker rm --force --volumes $containers
networks=$(docker network ls --quiet --filter "$label")
# shellcheck disable=SC2086
[ -z "$networks" ] || docker network rm $networks

state=$(dirname "$0")/../.cache/lab/$name
[ ! -d "$state" ] || rm -rfv "$state"
