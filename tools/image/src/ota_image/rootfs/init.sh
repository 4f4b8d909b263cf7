#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The initrd's only program: loads the modules that the slot needs, mounts it, and starts its init.
# An error is shown on the console and ends in a reboot, so that a trial boot falls back.
PATH=/bin
WAIT=30 # [s] for the slot's device

give_up() {
	echo "ota: initrd: $*; rebooting in 5 s"
	sync
	sleep 5
	reboot -f
	sleep 60
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

while read -r module; do
	insmod "/modules/$module" || echo "ota: initrd: $module does not load"
done </modules/order

root='' mode=ro init=/sbin/init
for word in $(cat /proc/cmdline); do
	case $word in
	root=*) root=${word#root=} ;;
	ro | rw) mode=$word ;;
	init=*) init=${word#init=} ;;
	esac
done

case $root in
/dev/*) ;;
*) give_up "root='$root' on the kernel's command line is not a device" ;;
esac
waited=0
until [ -b "$root" ]; do
	[ $waited -lt $((WAIT * 10)) ] ||
		give_up "no $root within $WAIT s; there are: $(cd /sys/class/block && echo *)"
	sleep 0.1
	waited=$((waited + 1))
done

mount -o "$mode" "$root" /root || give_up "$root cannot be mounted"
[ -x "/root$init" ] || [ -L "/root$init" ] || give_up "$root has no $init"
mount -o move /dev /root/dev
mount -o move /sys /root/sys
mount -o move /proc /root/proc
exec switch_root /root "$init"
