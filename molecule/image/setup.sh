#!/bin/sh
# Makes a systemd test host out of a plain Debian: the services of the scenarios, installed and switched off.
# Runs inside the image, whichever engine builds it; packages.txt lies beside it.
set -eu
export DEBIAN_FRONTEND=noninteractive

# Nothing is started while packages are installed.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get update -qq
grep -v '^#' "$(dirname "$0")/packages.txt" | xargs apt-get install -y -qq --no-install-recommends
rm -f /usr/sbin/policy-rc.d
# Of docker only what publishes the ports of containers: the rest is large, and would not run here.
(cd /tmp && apt-get download -qq docker.io && dpkg-deb --fsys-tarfile docker.io_*.deb | tar -x -C / ./usr/sbin/docker-proxy)
rm -f /tmp/docker.io_*.deb
apt-get clean
rm -rf /var/lib/apt/lists/*

# Each scenario starts what it needs; what wakes up by itself would only disturb the others.
for unit in haproxy named nginx postgresql redis-server ssh unbound; do
    systemctl disable "$unit" >/dev/null 2>&1 || true
done
# Each path unit and each manager takes an inotify instance, of which all hosts together have 128 (fs.inotify.max_user_instances).
for unit in systemd-ask-password-console.path systemd-ask-password-wall.path \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer getty.target \
    console-getty.service systemd-networkd.service systemd-resolved.service systemd-timesyncd.service \
    systemd-udevd.service systemd-udev-trigger.service unbound-resolvconf.service; do
    systemctl mask "$unit" >/dev/null 2>&1 || true
done

useradd --create-home --shell /bin/bash tester
rm -f /etc/machine-id /etc/ssh/ssh_host_*_key*
touch /etc/machine-id
ssh-keygen -A >/dev/null
