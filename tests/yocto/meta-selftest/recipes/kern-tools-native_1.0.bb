# SPDX-License-Identifier: Apache-2.0
SUMMARY = "U-Boot's own merge_config.sh, in place of that of Yocto's kernel tools"

require host.inc

do_install[file-checksums] += "${SELFTEST_U_BOOT}/scripts/kconfig/merge_config.sh:True"
do_install () {
	install -D -m 0755 ${SELFTEST_U_BOOT}/scripts/kconfig/merge_config.sh ${D}${bindir}/merge_config.sh
}
