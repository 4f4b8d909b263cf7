#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The initrd's only program: loads the modules that the slot needs, starts the watchdog, mounts the
# slot, and starts its init.
# An error is shown on the console and ends in a reboot, so that a trial boot falls back.
PATH=/bin
WAIT=30            # [s] for the slot's device
TAKEN=120          # [s] until userspace must have taken the watchdog over
FEEDER=.ota-feeder # in /dev: the process that feeds it

# The parameters of a module on the kernel's command line, as modprobe would give them to it.
parameters() {
	for word in $(cat /proc/cmdline); do
		case $word in
		"$1".*=*) echo "${word#*.}" ;;
		esac
	done
}

# Once it is there, a hang ends in a reset. A process feeds the watchdog while the slot is mounted, and
# after that until userspace takes it over. It ends after a while: an init that hangs does not take over.
start_watchdog() {
	[ -c /dev/watchdog ] && [ -e /watchdog ] && [ ! -e /dev/$FEEDER ] || return
	read -r driver seconds </watchdog
	# The watchdog of QEMU's Raspberry Pi, which has no serial number, resets it at once.
	serial=$(cat /proc/device-tree/serial-number 2>/dev/null | tr -d '\0')
	case $driver/$serial in
	bcm2835_wdt/*[1-9a-f]*) ;;
	bcm2835_wdt/*) return ;;
	esac
	timeout -s KILL "$TAKEN" watchdog -F -T "$seconds" -t $((seconds / 3)) /dev/watchdog &
	echo $! >/dev/$FEEDER
}

# A slot that does not know of the process would be reset: there the watchdog stops until it is opened.
hand_over_watchdog() {
	[ -e /dev/$FEEDER ] || return
	! grep -q $FEEDER /root/usr/lib/ota/functions 2>/dev/null || return
	kill "$(cat /dev/$FEEDER)"
	rm /dev/$FEEDER
}

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
	# shellcheck disable=SC2046 # one word for each parameter
	insmod "/modules/$module" $(parameters "${module%.ko}") ||
		echo "ota: initrd: $module does not load"
	start_watchdog
done </modules/order
start_watchdog # if its driver is built in, and there are no modules
[ ! -e /watchdog ] || [ -c /dev/watchdog ] || echo "ota: initrd: found no watchdog"

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
hand_over_watchdog
mount -o move /dev /root/dev
mount -o move /sys /root/sys
mount -o move /proc /root/proc
exec switch_root /root "$init"
