# SPDX-License-Identifier: Apache-2.0
SUMMARY = "The firmware, which the kit has compiled or downloaded"

LICENSE = "CLOSED"
INHIBIT_DEFAULT_DEPS = "1"
PACKAGE_ARCH = "${MACHINE_ARCH}"
PROVIDES = "virtual/bootloader grub-efi"

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"

inherit deploy nopackages

do_deploy[file-checksums] += "${SELFTEST_FIRMWARE}:True"
do_deploy () {
	install -m 0644 ${SELFTEST_FIRMWARE} ${DEPLOYDIR}/
}
addtask deploy after do_install before do_build
