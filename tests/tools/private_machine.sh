#!/usr/bin/env bash
# Runs a command on a machine that container engines do not like: one without systemd as PID 1, with hybrid cgroups, without
# an image registry (typically a CI machine that is itself a sandbox). Needs root. Everything that is special to such a machine is here, and
# the Molecule scenarios know nothing of it. MOLECULE_ENGINE says for which engine: podman (the default), docker or nspawn.
#
# The command gets namespaces of its own: for processes, so that all of them end with it, however it ends; for mounts, with a
# pure cgroup2 at /sys/fs/cgroup and the engine's working files on a tmpfs; for cgroups, below one folder that is removed at the end.
# The images are kept in build/molecule, in a store for each engine, so that the next run finds them.
set -euo pipefail
cd "$(dirname "$0")/../.."
state=$PWD/build/molecule
engine=${MOLECULE_ENGINE:-podman}
case $engine in
    podman) store=$state/store lock=$state/lock ;;
    *) store=$state/$engine lock=$state/$engine.lock ;;
esac

make_base() {  # the image of a minimal Debian, from the machine's own package sources, for engines that would ask a registry
    local name
    name=localhost/infracheck-base:$(tests/tools/base_debian.sh --version)
    if ! "$engine" image inspect "$name" >/dev/null 2>&1; then
        echo "Making the base image from the package sources of this machine"
        tests/tools/base_debian.sh "$store/base.tar"
        "$engine" import "$store/base.tar" "$name" >/dev/null
        rm -f "$store/base.tar"
    fi
    export MOLECULE_BASE_IMAGE=$name
}

configure_podman() {
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
# A database that is kept would overrule graphroot, and of a checkout that was copied it would lead into the original.
static_dir = "$work/static"
CONF
    cat >"$work/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$store"
runroot = "$work/run"
CONF
    export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
    # What a run that was cut off left in the store.
    podman ps --all --external --quiet | xargs --no-run-if-empty podman rm --force >/dev/null
    make_base
}

start_docker() {  # a daemon of its own, that touches no network: no bridge, no packet filter, no forwarding
    export DOCKER_HOST=unix://$work/docker.sock
    unset DOCKER_CONTEXT
    dockerd --host "$DOCKER_HOST" --data-root "$store" --exec-root "$work/exec" --pidfile "$work/docker.pid" \
        --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
        --exec-opt native.cgroupdriver=cgroupfs --oom-score-adjust 0 >"$work/docker.log" 2>&1 &
    service=$!
    local left=300
    until docker version >/dev/null 2>&1; do
        if ! kill -0 "$service" 2>/dev/null || [ "$left" -eq 0 ]; then
            echo "The docker daemon does not start:" >&2
            tail -n 20 "$work/docker.log" >&2
            exit 1
        fi
        sleep 0.1
        left=$((left - 1))
    done
    docker container prune --force >/dev/null  # what a run that was cut off left in the store
    make_base
}

# shellcheck disable=SC2317  # it is called, by the trap
stop_service() {
    [ -n "$service" ] || return 0
    kill "$service" 2>/dev/null || true
    wait "$service" || true
}

inside() {
    work=$1
    service=
    shift
    mkdir -p /sys/fs/cgroup/runner  # cgroup2 wants its processes in the leaves
    echo $$ >/sys/fs/cgroup/runner/cgroup.procs

    mount -t tmpfs -o mode=0755 tmpfs "$work"
    export TMPDIR=$work
    trap stop_service EXIT
    # What the engines put into /run, wherever their own files are, stays on the tmpfs.
    mkdir "$work/upper" "$work/workdir"
    mount -t overlay -o "lowerdir=/run,upperdir=$work/upper,workdir=$work/workdir" overlay /run
    case $engine in
        podman) configure_podman ;;
        docker) start_docker ;;
    esac
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
mkdir -p "$store"
exec 9>"$lock"
flock 9  # one at a time for each store

hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
work=$(mktemp -d)
mounted=
if [ -z "$hierarchy" ]; then
    mounted=$(mktemp -d)
    mount -t cgroup2 cgroup2 "$mounted"
    hierarchy=$mounted
fi
family=infracheck-$engine-$(cksum <<<"$store" | cut -d ' ' -f 1)  # those of this store alone: others may be in use
find "$hierarchy" -depth -type d -path "*/$family-*" -exec rmdir {} + 2>/dev/null || true  # of a run that was killed
group=$hierarchy/$family-$$
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
