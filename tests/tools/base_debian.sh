#!/usr/bin/env bash
# Makes the root of a minimal Debian 12 in TARGET: a folder, or an archive when its name ends in .tar. Needs root and mmdebstrap.
# On a Debian 12 it takes the machine's own package sources, as no other may be in reach; elsewhere the public ones.
# With --version instead: prints what changes when the outcome would.
set -euo pipefail

sources=()
# shellcheck disable=SC1091
if [ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = "debian 12" ]; then
    shopt -s nullglob
    sources=(/etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
    [ ! -e /etc/apt/sources.list ] || sources+=(/etc/apt/sources.list)
fi
if [ "$1" = --version ]; then
    cat "${sources[@]}" </dev/null | sha256sum | cut -c1-12
    exit
fi
# What is this machine's own has to go.
# shellcheck disable=SC2016
exec mmdebstrap --quiet --variant=minbase --mode=root --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' bookworm "$1" "${sources[@]}"
