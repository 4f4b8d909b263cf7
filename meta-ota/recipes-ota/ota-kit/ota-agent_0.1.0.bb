# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Installs updates, tries them, and rolls back"
DESCRIPTION = "The agent of OTA Kit: a daemon, its command ota-agent, and the update modules."

require ota-kit.inc
OTA_TOOL = "agent"

inherit systemd update-rc.d useradd

# Whom the agent's process becomes that unpacks.
USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --no-create-home --home-dir /nonexistent --shell /sbin/nologin --user-group ota-unpack"

# D-Bus is a bridge next to the agent; dbus-fast is in meta-python, and its recipe does not name xml.
PACKAGECONFIG ??= ""
PACKAGECONFIG[dbus] = ",,,python3-dbus-fast python3-xml"

SYSTEMD_SERVICE:${PN} = "ota-agent.service ota-boot-log.service ota-deadline.service"
INITSCRIPT_NAME = "ota-agent"
INITSCRIPT_PARAMS = "defaults 90 10"

do_install:append () {
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'false', 'true', d)}; then
        rm -rf ${D}${nonarch_libdir}/systemd  # our wheel has the units there, with or without usrmerge
    fi
    if ${@bb.utils.contains('DISTRO_FEATURES', 'sysvinit', 'true', 'false', d)}; then
        install -D -m 0755 ${D}${datadir}/ota/init.d/ota-agent ${D}${sysconfdir}/init.d/ota-agent
    fi
    install -d ${D}${localstatedir}/lib
    ln -s /data/ota ${D}${localstatedir}/lib/ota
    ln -s /data/mender ${D}${localstatedir}/lib/mender
}

FILES:${PN} += "\
    ${datadir}/dbus-1 \
    ${datadir}/ota \
    ${nonarch_libdir}/ota \
    ${systemd_system_unitdir} \
"

RDEPENDS:${PN} = " \
    ota-agent-conf \
    python3-asyncio \
    python3-core \
    python3-crypt \
    python3-cryptography \
    python3-ctypes \
    python3-datetime \
    python3-email \
    python3-fcntl \
    python3-io \
    python3-json \
    python3-logging \
    python3-math \
    python3-mmap \
    python3-netclient \
    python3-numbers \
    python3-ota-artifact \
    python3-resource \
    python3-shell \
    python3-sqlite3 \
    python3-threading \
    python3-tomllib \
    python3-urllib3 \
"
