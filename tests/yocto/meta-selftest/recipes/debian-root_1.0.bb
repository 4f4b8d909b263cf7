# SPDX-License-Identifier: Apache-2.0
SUMMARY = "The root filesystem and the kernel that ota-image makes from Debian's packages"
DESCRIPTION = "Without the agent, and without the files that the classes of meta-ota must add."

LICENSE = "CLOSED"
INHIBIT_DEFAULT_DEPS = "1"
PACKAGE_ARCH = "${MACHINE_ARCH}"
PROVIDES = "virtual/kernel"

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"

inherit deploy

# Files that the classes and recipes of meta-ota must add.
NOT_FROM_DEBIAN = "boot/extlinux boot/grub boot/ota data/etc etc/dropbear etc/fstab etc/fw_env.config \
    etc/inittab etc/machine-id etc/mender etc/mender_grubenv.config etc/ota usr/lib/ota/data usr/lib/ota/erase \
    usr/lib/ota/functions usr/lib/ota/identity usr/lib/ota/second-home usr/lib/ota/start usr/share/ota var/lib/mender var/lib/ota"

SRC_URI = "file://inittab file://start"

do_install[file-checksums] += "${SELFTEST_ROOT}:True"
do_install[depends] += "virtual/fakeroot-native:do_populate_sysroot"
fakeroot do_install () {
	debugfs -R "rdump / ${D}" ${SELFTEST_ROOT}
	for path in lost+found ${NOT_FROM_DEBIAN}; do
		rm -rf ${D}/$path
	done
	install -d ${D}${sysconfdir}/dropbear
	install -D -m 0644 /dev/null ${D}${sysconfdir}/default/dropbear # as OpenEmbedded's dropbear does
	install -m 0644 ${S}/inittab ${D}${sysconfdir}/inittab
	install -D -m 0755 ${S}/start ${D}${nonarch_libdir}/selftest/start
	echo ${PYTHON_SITEPACKAGES_DIR} >${D}/usr/lib/python3/dist-packages/openembedded.pth
}

inherit python3-dir

do_deploy () {
	install -m 0644 ${D}/boot/vmlinuz ${DEPLOYDIR}/
}
addtask deploy after do_install before do_build

# The packages were made for another distribution, by its rules.
do_package_qa[noexec] = "1"
SYSROOT_DIRS = ""
EXCLUDE_FROM_SHLIBS = "1"
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"

PACKAGES = "kernel-image kernel-devicetree kernel-modules ${PN}"
ALLOW_EMPTY:kernel-devicetree = "1"
FILES:kernel-image = "/boot/vmlinuz /boot/initrd.img"
FILES:kernel-devicetree = "/boot/dtbs"
FILES:kernel-modules = "${nonarch_base_libdir}/modules"
FILES:${PN} = "/*"
RDEPENDS:${PN} = "kernel-modules"
RPROVIDES:${PN} = " \
    e2fsprogs \
    e2fsprogs-e2fsck \
    e2fsprogs-mke2fs \
    e2fsprogs-resize2fs \
    libubootenv-bin \
    packagegroup-core-boot \
    python3-asyncio \
    python3-compression \
    python3-core \
    python3-crypt \
    python3-cryptography \
    python3-datetime \
    python3-email \
    python3-fcntl \
    python3-io \
    python3-json \
    python3-logging \
    python3-math \
    python3-netclient \
    python3-shell \
    python3-sqlite3 \
    python3-threading \
    python3-tomllib \
    python3-urllib3 \
"
