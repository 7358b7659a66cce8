#!/bin/sh
# Turns a minimal Debian tree into the disk of a fresh server: what an installer leaves, nothing more.
# Runs inside the tree; the package lists stay, as an installer leaves them.
set -eu

# A lab host lives for an hour: no fsync per unpacked file, no translations, no manuals.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/lab
printf 'path-exclude=/usr/share/%s/*\n' doc man locale info >>/etc/dpkg/dpkg.cfg.d/lab
echo 'Acquire::Languages "none";' >/etc/apt/apt.conf.d/90lab

# The way into a bare server: one unprivileged user, sudo, a key that the lab puts in.
useradd --create-home --shell /bin/bash deploy
install -d -m 0700 -o deploy -g deploy /home/deploy/.ssh
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
chmod 0440 /etc/sudoers.d/deploy

# Keys of a host are made on that host, at its first boot.
rm -f /etc/ssh/ssh_host_*
cat >/etc/systemd/system/ssh-host-keys.service <<'UNIT'
[Unit]
Description=Make the host keys of ssh at the first boot
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable ssh-host-keys.service ssh.service
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id

# What belongs to hardware or to the machine's own kernel cannot start in a container.
systemctl mask systemd-modules-load.service systemd-udevd.service systemd-udev-trigger.service \
    systemd-udevd-control.socket systemd-udevd-kernel.socket \
    systemd-binfmt.service proc-sys-fs-binfmt_misc.automount sys-kernel-debug.mount \
    sys-kernel-tracing.mount sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount sys-kernel-config.mount \
    tmp.mount getty.target console-getty.service systemd-firstboot.service systemd-timesyncd.service

install -m 0755 /tmp/lab-init /sbin/lab-init
rm -rf /tmp/lab-init /tmp/setup.sh /etc/apt/apt.conf.d/99mmdebstrap \
    /var/cache/apt/*.bin /var/log/*.log /var/log/apt \
    /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /usr/share/info/*
