#!/usr/bin/env bash
# Test hosts made with systemd-nspawn, by the few commands that the scenarios want of an engine. Needs root.
#
#   nspawn.sh exists IMAGE | build IMAGE FOLDER | start IMAGE MACHINE HOSTNAME DEVICE
#   nspawn.sh pid MACHINE | execute MACHINE COMMAND… | remove MACHINE | list
#
# An image is a folder below build/molecule/nspawn, which no machine changes: what a machine writes is on an overlay in memory.
# A machine is found and ended by its cgroup: under systemd that of a service, in a private machine a folder at the top.
set -euo pipefail
cd "$(dirname "$0")/../.."
images=$PWD/build/molecule/nspawn

if [ -n "${MOLECULE_PRIVATE_MACHINE:-}" ]; then
    machines=/sys/fs/cgroup suffix=
else
    machines=/sys/fs/cgroup/system.slice suffix=.service
fi

run() {  # in the cgroup MACHINE: OPTION… of systemd-nspawn
    local machine=$1 group=$machines/$1$suffix
    shift
    local -a command=(systemd-nspawn --quiet --settings=no --register=no --keep-unit --machine="$machine" "$@")
    if [ -n "$suffix" ]; then
        systemd-run --quiet --collect --property=Delegate=yes --setenv=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
            "${run_options[@]}" --unit="$machine" -- "${command[@]}"
        return
    fi
    mkdir "$group"
    # shellcheck disable=SC2016
    command=(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "${command[@]}")
    if [ "${#run_options[@]}" -gt 0 ]; then
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 "${command[@]}"
    else
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setsid "${command[@]}" >/dev/null 2>&1 </dev/null &
    fi
}

first_process() {  # of a machine that has come so far: it is on its own in its first cgroup
    local -a processes=()
    mapfile -t processes 2>/dev/null <"$machines/$1$suffix/payload/init.scope/cgroup.procs" || true
    [ "${#processes[@]}" -gt 0 ] || { echo "$1 does not run, or not yet" >&2; return 1; }
    echo "${processes[0]}"
}

remove() {
    local group=$machines/$1$suffix left=100
    [ -d "$group" ] || return 0
    # systemd-nspawn is to see its machine end, and to tidy up.
    { echo 1 >"$group/payload/cgroup.kill"; } 2>/dev/null || true
    while grep -qs '^populated 1' "$group/cgroup.events"; do
        [ "$left" -ne 50 ] || { echo 1 >"$group/cgroup.kill"; } 2>/dev/null || true
        [ "$left" -gt 0 ] || { echo "$1 does not end" >&2; return 1; }
        sleep 0.1
        left=$((left - 1))
    done
    [ -n "$suffix" ] || find "$group" -depth -type d -exec rmdir {} +
}

build() {
    local tree=$images/$1 folder=$2 made=$images/.new status=0
    install -d -m 0700 "$images"
    rm -rf "$made"
    tests/tools/base_debian.sh "$made"
    mkdir -p "$made/opt/image"
    cp "$folder/packages.txt" "$folder/setup.sh" "$made/opt/image"
    local -a run_options=(--wait --pipe)
    run infracheck-build --directory="$made" --resolv-conf=replace-host --console=pipe sh /opt/image/setup.sh || status=$?
    remove infracheck-build
    [ "$status" -eq 0 ] || return "$status"
    find "$images" -mindepth 1 -maxdepth 1 -type d ! -name .new -exec rm -rf {} +  # what is no longer wanted
    mv "$made" "$tree"
}

verb=$1
shift
image=${1:-}
image=${image##*:}  # of NAME:TAG the tag, which tells one from another
run_options=()
case $verb in
    exists) [ -d "$images/$image" ] ;;
    build) build "$image" "$2" ;;
    start)
        # Its filter leaves pidfd_getfd out, by which live socket options are read.
        run "$2" --directory="$images/$image" --hostname="$3" --read-only --volatile=overlay --private-network --link-journal=no \
            --system-call-filter=pidfd_getfd --resolv-conf=off --timezone=off --console=read-only --bind="$4" --boot
        ;;
    pid) first_process "$1" ;;
    execute)
        pid=$(first_process "$1")
        shift
        exec tests/tools/enter_machine.sh "/proc/$pid/root" "$@"
        ;;
    remove) remove "$1" ;;
    list) find "$machines" -maxdepth 1 -type d -name "infracheck-*$suffix" -printf '%f\n' | sed 's/\.service$//' ;;
    *) echo "nspawn.sh: $verb?" >&2; exit 2 ;;
esac
