# SPDX-License-Identifier: Apache-2.0
require recipes-ota/images/ota-image-minimal.bb
SUMMARY = "A release whose kernel panics as soon as userspace is up"

OTA_RELEASE = "3"

ROOTFS_POSTPROCESS_COMMAND:append = " panic_at_start"

panic_at_start () {
	install -d ${IMAGE_ROOTFS}${sysconfdir}/ota/start.d
	printf '#!/bin/sh\necho c >/proc/sysrq-trigger\n' >${IMAGE_ROOTFS}${sysconfdir}/ota/start.d/00-panic
	chmod 0755 ${IMAGE_ROOTFS}${sysconfdir}/ota/start.d/00-panic
}
