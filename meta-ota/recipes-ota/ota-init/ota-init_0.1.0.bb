# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Prepares /data and the device's identity before init starts"
DESCRIPTION = "The kernel starts this in place of init. It grows, repairs and mounts /data, restores the \
machine's identity and the files that it keeps, and feeds the watchdog; then it becomes init. The class \
ota-image puts it before init, by OTA_FEATURES."
HOMEPAGE = "https://otakit.example"
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

# The scripts are those of the images that are made from Debian packages.
FILESEXTRAPATHS:prepend := "${OTA_TREE}:"
SRC_URI = "file://LICENSE file://images/overlay file://init"

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"

inherit systemd

SYSTEMD_SERVICE:${PN} = "ota-watchdog.service"

do_install () {
    install -d ${D}${nonarch_libdir}/ota
    for name in data functions identity; do
        install -m 0644 ${S}/images/overlay/common/usr/lib/ota/$name ${D}${nonarch_libdir}/ota/
    done
    for name in erase second-home; do
        install -m 0755 ${S}/images/overlay/common/usr/lib/ota/$name ${D}${nonarch_libdir}/ota/
    done
    install -m 0755 ${S}/init ${D}${nonarch_libdir}/ota/
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -m 0755 ${S}/images/overlay/debian/usr/lib/ota/watchdog ${D}${nonarch_libdir}/ota/
        install -D -m 0644 ${S}/images/overlay/debian/usr/lib/systemd/system/ota-watchdog.service \
            ${D}${systemd_system_unitdir}/ota-watchdog.service
    fi
}

FILES:${PN} += "${nonarch_libdir}/ota ${systemd_system_unitdir}"

RDEPENDS:${PN} = "e2fsprogs-e2fsck e2fsprogs-mke2fs"
