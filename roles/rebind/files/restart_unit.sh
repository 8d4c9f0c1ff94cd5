#!/bin/sh
# Restarts one unit, sees that it listens, and starts again what was stopped along with it. Runs by itself on the host, in a
# transient unit, as nobody may be connected any more between the stop and the start.
#
#   restart_unit.sh MANAGER HOW PATIENCE WAIT PORTS UNIT UNITS START ALONG
#
# MANAGER: --system or --user.
# HOW: restart (UNIT), stop (UNITS together, then start START together), or watch (do nothing but wait until it listens).
# PATIENCE: seconds for it to listen. It ends at once when it does, or when the unit has failed.
# WAIT: seconds for which it stays stopped at most, until nothing is left of the connections on its ports. What is left of its
# own goes within a minute of the stop; others may have connections there at other addresses for ever.
# PORTS: TCP ports where it is to listen, with commas; empty if there are none.
# UNITS, START, ALONG: names with blanks between them; no name of a unit has any (systemd.unit(5)). START are those of UNITS
# that ran, ALONG are others that ran and that systemd stops with it.
#
# The status is 0 when it ran to its end, whatever became of the unit.
set -uf
manager=$1 how=$2 patience=$3 wait=$4 ports=$5 unit=$6 units=$7 start=$8 along=$9

now() {
    date +%s
}

ctl() {
    systemctl "$manager" --no-ask-password "$@"
}

# Rows of a port in /proc/net/tcp and tcp6, by state (include/net/tcp_states.h): 0A is LISTEN.
has_row() { # PORT STATE
    hex=$(printf '%04X' "$1")
    grep -Eqs "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:[0-9A-F]+ $2 " /proc/net/tcp /proc/net/tcp6
}

listens() {
    for port in $(echo "$ports" | tr , ' '); do
        has_row "$port" 0A || return 1
    done
}

is_busy() {
    for port in $(echo "$ports" | tr , ' '); do
        ! has_row "$port" '0[^A]' || return 0
    done
    return 1
}

# 0: it listens. 1: it is down. 2: neither, yet.
watch() {
    [ -n "$ports" ] || sleep 1 # nothing shows that it is ready; what fails has mostly done so by then
    end=$(($(now) + patience))
    while :; do
        case $(ctl show --property=ActiveState --value -- "$unit") in
            failed | inactive) return 1 ;;
        esac
        ! listens || return 0
        [ "$(now)" -lt "$end" ] || return 2
        sleep 0.2
    done
}

# It may have used up its StartLimitBurst=. One that is not loaded cannot be reset, and need not be.
# shellcheck disable=SC2086 # lists of names
reset() {
    ctl reset-failed -- $units 2>/dev/null
}

# shellcheck disable=SC2086
begin() {
    reset
    ctl start -- $start
}

last=0
# shellcheck disable=SC2086
case $how in
    restart)
        reset
        ctl restart -- "$unit"
        ;;
    stop)
        ctl stop -- $units
        [ "$wait" -le 70 ] || wait=70
        last=$(($(now) + wait))
        while is_busy && [ "$(now)" -lt "$last" ]; do
            sleep 1
        done
        begin
        ;;
esac
watch
seen=$?
[ "$how" != watch ] || exit 0

# Down it serves nobody, so once more at any rate. What is left of connections that the stop itself has closed goes after a
# minute: TCP_TIMEWAIT_LEN (include/net/tcp.h).
tries=3
[ "$wait" -gt 0 ] || tries=1
last=$(($(now) + 70))
while [ "$seen" -eq 1 ] && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    is_busy || tries=0
    while [ "$wait" -gt 0 ] && is_busy && [ "$(now)" -lt "$last" ]; do
        sleep 1
    done
    begin
    watch
    seen=$?
done
# shellcheck disable=SC2086
[ -z "$along" ] || ctl start -- $along
exit 0
