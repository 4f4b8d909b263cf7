# SPDX-License-Identifier: Apache-2.0
# What a device does in addition to starting a slot. Each feature is a name in OTA_FEATURES:
#
#   grow        extends the data partition to the end of the card
#   machine-id  makes the machine ID at the first boot, and keeps it on /data
#   persist     keeps changes below OTA_PERSISTENT_FOLDERS on /data
#   watchdog    feeds the watchdog as long as the system runs
#
# The recipe ota-init does them before init. An image without features starts its own init directly.

OTA_FEATURES ??= "grow machine-id persist watchdog"
# The earliest time that the clock may show at boot [s since 1970], for a board without a real-time
# clock: in 1970 no certificate is valid yet.
OTA_CLOCK ??= "1793491200"
OTA_PERSISTENT_FOLDERS ??= "${sysconfdir}/NetworkManager/system-connections \
    ${sysconfdir}/dropbear ${sysconfdir}/network ${sysconfdir}/ssh ${sysconfdir}/systemd/network ${sysconfdir}/wpa_supplicant"

IMAGE_INSTALL:append:ota = " ${@ota_feature_packages(d)}"

def ota_feature_packages(d):
    """The packages of the features that are on."""
    features = (d.getVar("OTA_FEATURES") or "").split()
    packages = ["ota-init"] if features else []
    if features and "ota-u-boot" in (d.getVar("OVERRIDES") or "").split(":"):
        packages.append("libubootenv-bin") # tells a trial boot, which repairs nothing
    if "grow" in features:
        packages += ["python3-ota-artifact", "e2fsprogs-resize2fs"]
    return " ".join(packages)

# The class ota-image calls this after it has written the slot's other files.
ota_features () {
    root=${IMAGE_ROOTFS}
    if [ -z "${@(d.getVar('OTA_FEATURES') or '').strip()}" ]; then
        return
    fi
    install -m 0644 ${WORKDIR}/ota-rendered/board $root${sysconfdir}/ota/board
    printf "OTA_FEATURES='%s'\nOTA_PERSISTENT_FOLDERS='%s'\nOTA_CLOCK='%s'\nOTA_DROPBEAR=''\n" \
        "${OTA_FEATURES}" "${OTA_PERSISTENT_FOLDERS}" "${OTA_CLOCK}" \
        >> $root${sysconfdir}/ota/board
    # They are mounted before init reads fstab, which must not check a mounted filesystem.
    sed -i -e '/ \/boot\/firmware \| \/data /{s/ defaults/ noauto/;s/ 0 2$/ 0 0/}' $root${sysconfdir}/fstab
    if ${@bb.utils.contains('OTA_FEATURES', 'machine-id', 'true', 'false', d)}; then
        touch $root${sysconfdir}/machine-id
    fi
    if ${@bb.utils.contains('OTA_FEATURES', 'persist', 'true', 'false', d)}; then
        ota_keys_persist
    fi
    ota_before_init
}

# With read-only-rootfs, OpenEmbedded's SSH servers keep their keys in memory, or make new ones after
# each update.
ota_keys_persist () {
    for name in dropbear ssh; do
        file=${IMAGE_ROOTFS}${sysconfdir}/default/$name
        if [ -f $file ]; then
            sed -i -e '/^DROPBEAR_RSAKEY_DIR=\/var\/lib/d' -e '/^SYSCONFDIR=.*\/var\/run/d' \
                -e '/^SSHD_OPTS=.*sshd_config_readonly/d' $file
        fi
    done
}

ota_before_init () {
    init=${IMAGE_ROOTFS}${base_sbindir}/init
    next=${IMAGE_ROOTFS}${nonarch_libdir}/ota/next
    if [ ! -e $init ] && [ ! -L $init ]; then
        bbfatal "the image has no ${base_sbindir}/init for ota-init to start; set INIT_MANAGER, or OTA_FEATURES = \"\""
    fi
    install -d $next
    target=$(readlink $init || true)
    case $target in
    "") mv $init $next/init ;;
    /*) ln -sf $target $next/init ;;
    *) ln -sf ${base_sbindir}/$target $next/init ;;
    esac
    ln -sf ${nonarch_libdir}/ota/init $init
}

python () {
    known = ("grow", "machine-id", "persist", "watchdog")
    unknown = sorted(set((d.getVar("OTA_FEATURES") or "").split()) - set(known))
    if unknown:
        bb.fatal("OTA_FEATURES has %s; known are %s" % (", ".join(unknown), ", ".join(known)))
}
