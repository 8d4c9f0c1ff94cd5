#!/usr/bin/env bash
# Shows what the collection finds: a real listener, whose address is then taken away, in a network namespace of its own.
#
# The namespaces have no names and end with their first process: nothing is left behind, however this ends.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "${1:-}" != inside ]; then
    [ "$(id -u)" -eq 0 ] || { echo "make demo needs root, to make a network namespace" >&2; exit 1; }
    exec unshare --net --pid --fork --kill-child --mount-proc "$0" inside
fi

say() { printf '\n### %s\n' "$*"; }

ip link set lo up
ip link add lan0 type veth peer name lan1
ip link set lan0 up
ip link set lan1 up
ip address add 192.0.2.5/24 dev lan0

python3 -m http.server --bind 192.0.2.5 8443 >/dev/null 2>&1 &
for _ in $(seq 100); do
    [ -z "$(ss -Hltn src 192.0.2.5:8443)" ] || break
    sleep 0.1
done
[ -n "$(ss -Hltn src 192.0.2.5:8443)" ] || { echo "the web server of this demo does not listen" >&2; exit 1; }

say "A web server listens on 192.0.2.5:8443, and 192.0.2.5 is an address of this host. All is well:"
ansible-playbook check_bindings.yml

say "Now the address goes. The server does not notice: no error, the socket stays in LISTEN. Nobody can reach it any more:"
echo "ip address delete 192.0.2.5/24 dev lan0"
ip address delete 192.0.2.5/24 dev lan0
status=0
output=$(ansible-playbook check_bindings.yml 2>&1) || status=$?
echo "$output"
if [ "$status" -eq 0 ] || ! grep -q '192\.0\.2\.5:8443/tcp .*stale-address' <<<"$output"; then
    echo "The check did not find it, which is wrong" >&2
    exit 1
fi
say "The check says so, and so does its exit status: $status."
