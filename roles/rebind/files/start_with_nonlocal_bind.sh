#!/bin/sh
# Starts a unit once while addresses that are not there can be bound, and then puts the settings back.
#
#   start_with_nonlocal_bind.sh SECONDS PORTS UNIT COMMAND…
#
# SECONDS: the longest that the settings may stay changed. PORTS: TCP ports, with commas, or "-"; once all of them listen the
# settings are put back at once. Each COMMAND is one word for the shell.
#
# A timer of systemd puts the settings back as well, so that they do not stay when this run is cut off. Without it nothing is done.
set -u
limit=$1
ports=$2
unit=$3
shift 3

v4=/proc/sys/net/ipv4/ip_nonlocal_bind
v6=/proc/sys/net/ipv6/ip_nonlocal_bind
timer=infracheck-rebind-restore-$$

write() { # VALUE FILE
    [ ! -e "$2" ] || printf '%s\n' "$1" >"$2"
}

before4=$(cat "$v4") || exit 90
before6=$(cat "$v6" 2>/dev/null) || before6=0

# shellcheck disable=SC2329,SC2317 # it is called, by the trap
restore() {
    write "$before4" "$v4"
    write "$before6" "$v6"
    systemctl stop "$timer.timer" 2>/dev/null
}

command="printf '%s\n' $before4 >$v4; [ ! -e $v6 ] || printf '%s\n' $before6 >$v6"
systemd-run --quiet --unit="$timer" --on-active="$((limit + 5))" --timer-property=AccuracySec=1s /bin/sh -c "$command" || exit 91
trap restore EXIT
trap 'exit 92' HUP INT TERM

write 1 "$v4" || exit 93
write 1 "$v6"

listens() { # all ports, in /proc/net/tcp and tcp6: state 0A is LISTEN (include/net/tcp_states.h)
    for port in $(printf '%s' "$ports" | tr , ' '); do
        hex=$(printf '%04X' "$port")
        grep -qs "^ *[0-9]*: [0-9A-F]*:$hex [0-9A-F]*:[0-9A-F]* 0A " /proc/net/tcp /proc/net/tcp6 || return 1
    done
}

end=$(($(date +%s) + limit))
status=0
for command in "$@"; do
    timeout "$limit" sh -c "$command" || status=$?
done
while [ "$status" -eq 0 ] && [ "$(date +%s)" -lt "$end" ]; do
    if [ "$ports" = - ]; then
        sleep 2
        break
    fi
    ! listens || break
    sleep 0.2
done
[ "$status" -eq 0 ] || echo "starting $unit ended with status $status" >&2
exit "$status"
