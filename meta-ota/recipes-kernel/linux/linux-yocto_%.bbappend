# SPDX-License-Identifier: Apache-2.0
# The kernel mounts a slot without an initrd, so the drivers for that are built in, not modules.
FILESEXTRAPATHS:prepend:ota := "${THISDIR}/files:"

SRC_URI:append:ota = " file://ota.cfg"
SRC_URI:append:ota:qemuarm64 = " file://ota-qemuarm64.cfg"
SRC_URI:append:ota:qemux86-64 = " file://ota-qemux86-64.cfg"
SRC_URI:append:ota:beaglebone-yocto = " file://ota-beaglebone-yocto.cfg"
