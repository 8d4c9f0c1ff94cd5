#!/bin/sh
# The part of an engine that concerns this scenario: `run ID COMMAND…` runs a command in the cgroup that podman makes for a container
# with the network of its host, and `restart ID` starts it anew as /root/ID says.
set -eu
echo "$*" >>/root/engine
scope=libpod-$2.scope
if [ "$1" = restart ]; then
    systemctl stop "$scope"
    # shellcheck disable=SC2046 # words
    set -- run "$2" $(cat "/root/$2")
fi
shift 2
# shellcheck disable=SC2016 # for the inner shell
setsid systemd-run --quiet --scope --slice=machine.slice --unit="$scope" --property=Delegate=yes \
    sh -c 'cgroup=/sys/fs/cgroup/machine.slice/$0/container; mkdir $cgroup && echo $$ >$cgroup/cgroup.procs && exec "$@"' \
    "$scope" "$@" >/dev/null 2>&1 </dev/null &
