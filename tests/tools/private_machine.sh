#!/usr/bin/env bash
# Runs a command on a machine that container engines do not like: one without systemd as PID 1, with hybrid cgroups, without
# an image registry (typically a CI machine that is itself a sandbox). Needs root. Everything that is special to such a machine is here, and
# the Molecule scenarios know nothing of it.
#
# The command gets namespaces of its own: for processes, so that all of them end with it, however it ends; for mounts, with a
# pure cgroup2 at /sys/fs/cgroup and podman's working files on a tmpfs; for cgroups, below one folder that is removed at the end.
# The image store is kept in build/molecule, so that the next run finds its images.
set -euo pipefail
cd "$(dirname "$0")/../.."
state=$PWD/build/molecule

make_base() {  # the image of a minimal Debian, from the machine's own package sources
    local name
    local -a sources
    shopt -s nullglob
    sources=(/etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
    [ ! -e /etc/apt/sources.list ] || sources+=(/etc/apt/sources.list)
    name=localhost/infracheck-base:$(cat "${sources[@]}" | sha256sum | cut -c1-12)
    if ! podman image exists "$name"; then
        echo "Making the base image from the package sources of this machine"
        # shellcheck disable=SC1091
        mmdebstrap --quiet --variant=minbase --mode=root --include=systemd,systemd-sysv,dbus,python3,iproute2 \
            "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$state/base.tar" "${sources[@]}"
        podman import --quiet "$state/base.tar" "$name" >/dev/null
        rm -f "$state/base.tar"
    fi
    export MOLECULE_BASE_IMAGE=$name
}

inside() {
    local work=$1
    shift
    mkdir -p /sys/fs/cgroup/runner  # cgroup2 wants its processes in the leaves
    echo $$ >/sys/fs/cgroup/runner/cgroup.procs

    mount -t tmpfs -o mode=0755 tmpfs "$work"
    mkdir -p "$work/run" "$work/libpod"
    cat >"$work/containers.conf" <<CONF
[containers]
# 0: no limit, as the pids controller is not to be had here
pids_limit = 0
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
cgroups = "no-conmon"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "$work/libpod"
CONF
    cat >"$work/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$state/store"
runroot = "$work/run"
CONF
    export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf TMPDIR=$work
    podman rm --all --force >/dev/null 2>&1 || true  # what a run that was cut off left in the store
    make_base
    "$@"
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi
if [ "${1:-}" = --in-cgroup ]; then
    work=$2
    group=$3
    shift 3
    echo $$ >"$group/cgroup.procs"
    # The death of this script, whatever kills it, is the death of everything below it.
    # shellcheck disable=SC2016
    exec setpriv --pdeathsig KILL unshare --cgroup --mount --propagation private --pid --fork --kill-child=KILL --mount-proc -- sh -c '
        umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"' sh "$0" --inside "$work" "$@"
fi

[ "$(id -u)" -eq 0 ] || { echo "A private machine needs root" >&2; exit 1; }
mkdir -p "$state/store"
exec 9>"$state/lock"
flock 9  # one at a time, as they share the image store

hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
work=$(mktemp -d)
mounted=
if [ -z "$hierarchy" ]; then
    mounted=$(mktemp -d)
    mount -t cgroup2 cgroup2 "$mounted"
    hierarchy=$mounted
fi
find "$hierarchy" -depth -type d -path '*/infracheck-molecule-*' -exec rmdir {} + 2>/dev/null || true  # of a run that was killed
group=$hierarchy/infracheck-molecule-$$
mkdir "$group"

child=
# shellcheck disable=SC2317  # it is called, by the trap
tidy() {
    local status=$? left=50
    [ -z "$child" ] || kill "$child" 2>/dev/null || true
    wait
    while [ -n "$(find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null)" ] && [ "$left" -gt 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || { echo "Left behind: cgroups below $group" >&2; status=1; }
    [ -z "$mounted" ] || { umount "$mounted" && rmdir "$mounted"; } || status=1
    rmdir "$work" || { echo "Left behind: files in $work" >&2; status=1; }
    exit "$status"
}
trap tidy EXIT
trap 'exit 130' INT TERM HUP
"$0" --in-cgroup "$work" "$group" "$@" 9>&- &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
