#!/bin/sh
# Starts a unit once while addresses that are not there can be bound, and then puts the settings back.
#
#   start_with_nonlocal_bind.sh SECONDS PORTS UNIT COMMAND…
#
# SECONDS: the longest that the settings may stay changed. PORTS: the TCP port of each of its listeners, with commas, or "-";
# once so many more listen on them the settings are put back at once: others may listen on the same port at other addresses. Each COMMAND is one word for the shell. The settings are changed for the last one alone: the
# start. Those before it (the stop, reset-failed) may fail.
#
# A timer of systemd puts the settings back as well, so that they do not stay when this is killed. Without it nothing is done.
# What the settings were is kept in a file until they are back, so that whoever comes next does not take the changed ones
# for them.
#
# The status is 0 when the last command was run with the settings changed, whatever came of it; else they were not changed.
set -u
limit=$1
ports=$2
unit=$3
shift 3

v4=/proc/sys/net/ipv4/ip_nonlocal_bind
v6=/proc/sys/net/ipv6/ip_nonlocal_bind
name=infracheck-rebind-restore
folder=/run/infracheck-rebind

start=
give_up() { # STATUS REASON
    echo "$unit was not started with ip_nonlocal_bind: $2" >&2
    [ -z "$start" ] || sh -c "$start" # it has been stopped
    exit "$1"
}

umask 077
mkdir -p "$folder" || give_up 90 "no folder $folder"
exec 9>"$folder/lock" || give_up 90 "no file $folder/lock"
flock -w "$((limit + 60))" 9 || give_up 91 "another such start does not end"

# One of them is missing where the host has no IPv6.
put_back="[ ! -e $folder/before ] || { read -r v4 v6 <$folder/before; echo \"\$v4\" >$v4; [ ! -e $v6 ] || echo \"\$v6\" >$v6; rm -f $folder/before; }"

# shellcheck disable=SC2329,SC2317 # it is called, by the trap
restore() {
    sh -c "$put_back"
    systemctl stop "$name.timer" 2>/dev/null
}

# Somebody was killed before it put them back, or its timer is about to.
sh -c "$put_back"
systemctl stop "$name.timer" "$name.service" 2>/dev/null
systemctl reset-failed "$name.timer" "$name.service" 2>/dev/null

before4=$(cat "$v4") || give_up 92 "ip_nonlocal_bind cannot be read"
before6=$(cat "$v6" 2>/dev/null) || before6=0

while [ "$#" -gt 1 ]; do
    sh -c "$1" 9>&-
    shift
done
start=$1

count() { # PORT: its listeners, in /proc/net/tcp and tcp6: state 0A is LISTEN (include/net/tcp_states.h)
    hex=$(printf '%04X' "$1")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -c "^ *[0-9]*: [0-9A-F]*:$hex [0-9A-F]*:[0-9A-F]* 0A "
}

goals= # PORT:COUNT, with blanks between them
if [ "$ports" != - ]; then
    for port in $(printf '%s' "$ports" | tr , '\n' | sort -u); do
        own=$(printf '%s\n' "$ports" | tr , '\n' | grep -cx -- "$port")
        goals="$goals $port:$(($(count "$port") + own))"
    done
fi

listens() {
    for goal in $goals; do
        [ "$(count "${goal%:*}")" -ge "${goal#*:}" ] || return 1
    done
}

end=$(($(date +%s) + limit))
echo "$before4 $before6" >"$folder/new" || give_up 92 "no file $folder/new"
mv "$folder/new" "$folder/before" || give_up 92 "no file $folder/before"
trap restore EXIT
trap 'exit 0' HUP INT TERM
systemd-run --quiet --collect --unit="$name" --on-active="$limit" --timer-property=AccuracySec=100ms /bin/sh -c "$(echo "$put_back" | sed 's/[$]/$$/g')" ||
    give_up 93 "no timer that puts the settings back"
echo 1 >"$v4" || give_up 94 "ip_nonlocal_bind cannot be set"
[ ! -e "$v6" ] || echo 1 >"$v6"

status=0
timeout "$limit" sh -c "$start" 9>&- || status=$?
while [ "$status" -eq 0 ] && [ "$(date +%s)" -lt "$end" ]; do
    if [ -z "$goals" ]; then
        sleep 2
        break
    fi
    ! listens || break
    sleep 0.2
done
[ "$status" -eq 0 ] || echo "starting $unit ended with status $status" >&2
exit 0
