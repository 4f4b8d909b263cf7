# SPDX-License-Identifier: Apache-2.0
# Images with two slots. All types come from one call of `ota-image compose`, so that slot A of the
# disk image and the payload of the update file are the same bytes:
#
#   sdimg       the disk image; it comes with its block map, sdimg.bmap
#   mender      the update file
#   bootimg     the boot partition alone
#   dataimg     the data partition alone

inherit ota-artifact ota-board ota-features

OTA_IMAGE_FSTYPES ??= "sdimg sdimg.bmap mender"
OTA_RELEASE ??= "${PV}"
OTA_ARTIFACT_NAME ??= "${IMAGE_BASENAME}-${OTA_RELEASE}"
OTA_ARTIFACT_ARGUMENTS ??= ""
OTA_STATE_SCRIPTS ??= ""
OTA_OPEN_LOGIN ??= ""
OTA_BOOT_FOLDER ??= "${@ota_boot_folder(d)}"
OTA_BOOT_FILES ??= ""
OTA_FIRMWARE_FOLDERS ??= "${DEPLOY_DIR_IMAGE} ${DEPLOY_DIR_IMAGE}/bootfiles"
OTA_FIRMWARE_RECIPES ??= "${@ota_firmware_recipes(d)}"
OTA_KERNEL ??= "/boot/${KERNEL_IMAGETYPE}"
OTA_INITRD ??= ""

OTA_PARTS = "${WORKDIR}/ota-parts"
OTA_SLOT_FILE = "${OTA_PARTS}/2-slot-A.ext4"

IMAGE_TYPES += "sdimg mender bootimg dataimg"
IMAGE_FSTYPES:ota = "${OTA_IMAGE_FSTYPES}"

# The filesystem has the slot's size; a larger root filesystem stops the build here.
IMAGE_OVERHEAD_FACTOR:ota = "1.0"
IMAGE_ROOTFS_EXTRA_SPACE:ota = "0"
IMAGE_ROOTFS_SIZE:ota = "8192"
IMAGE_ROOTFS_MAXSIZE:ota = "${@ota_slot_kib(d)}"

# The kernel and its device trees are in the slot, so that they roll back with it.
IMAGE_INSTALL:append:ota = " ${OTA_STATE_SCRIPTS} kernel-image ${@'kernel-devicetree' if d.getVar('OTA_DEVICE_TREES') else ''}"

IMAGE_TYPEDEP:mender = "sdimg"
IMAGE_TYPEDEP:bootimg = "sdimg"
IMAGE_TYPEDEP:dataimg = "sdimg"

OTA_NATIVE = "python3-ota-image-native:do_populate_sysroot"
do_rootfs[depends] += "python3-ota-board-native:do_populate_sysroot"
do_rootfs[file-checksums] += "${@ota_board_files(d)}"
do_image_sdimg[depends] += "${OTA_NATIVE} ${OTA_FIRMWARE_RECIPES} \
    dosfstools-native:do_populate_sysroot e2fsprogs-native:do_populate_sysroot \
    mtools-native:do_populate_sysroot util-linux-native:do_populate_sysroot"
do_image_sdimg[file-checksums] += "${@ota_board_files(d)}"
do_image_mender[depends] += "${OTA_NATIVE} e2fsprogs-native:do_populate_sysroot"
do_image_mender[depends] += "${@' '.join('%s:do_populate_sysroot' % each for each in d.getVar('OTA_STATE_SCRIPTS').split())}"
do_image_mender[file-checksums] += "${OTA_KEY_CHECKSUM}"

IMAGE_CMD:sdimg () {
    rm -rf ${OTA_PARTS} ${WORKDIR}/ota-firmware ${WORKDIR}/ota-boot
    mkdir -p ${WORKDIR}/ota-firmware ${WORKDIR}/ota-boot
    for name in ${OTA_FIRMWARE}; do
        ota_take $name ${WORKDIR}/ota-firmware "${OTA_FIRMWARE_ALIAS}" || \
            bbfatal "${OTA_BOARD}: its board.yaml needs the firmware $name, which is in none of: ${OTA_FIRMWARE_FOLDERS}"
    done
    if [ -n "${OTA_BOOT_FOLDER}" ]; then
        cp -r ${OTA_BOOT_FOLDER}/. ${WORKDIR}/ota-boot/
    fi
    for name in ${OTA_BOOT_FILES}; do
        ota_take $name ${WORKDIR}/ota-boot || \
            bbfatal "OTA_BOOT_FILES has $name, which is in none of: ${OTA_FIRMWARE_FOLDERS}"
    done
    set --
    if [ -n "${OTA_FIRMWARE}" ]; then
        set -- --u-boot $(for name in ${OTA_FIRMWARE}; do echo ${WORKDIR}/ota-firmware/$name; done)
    fi
    if [ -n "$(ls -A ${WORKDIR}/ota-boot)" ]; then
        set -- "$@" --boot ${WORKDIR}/ota-boot
    fi
    if [ -d ${WORKDIR}/ota-data ]; then
        set -- "$@" --data ${WORKDIR}/ota-data
    fi
    SOURCE_DATE_EPOCH=${REPRODUCIBLE_TIMESTAMP_ROOTFS} ota-image compose ${OTA_BOARD_FOLDER} \
        --slots ${OTA_SLOT_SIZE}B --rootfs ${IMAGE_ROOTFS} --parts ${OTA_PARTS} \
        --output ${IMGDEPLOYDIR}/${IMAGE_NAME}.sdimg "$@"
    ota_examine ${IMGDEPLOYDIR}/${IMAGE_NAME}.sdimg
}

# ota_examine IMAGE: warn of each hazard that the finished image shows, such as a device of the board
# that neither its kernel nor a module of the slot drives.
ota_examine () {
    found=${WORKDIR}/ota-doctor.txt
    code=0
    ota-image doctor $1 --board ${OTA_BOARD_FOLDER} > $found 2>&1 || code=$?
    case $code in
    0) bbnote "$(cat $found)" ;;
    2) bbwarn "ota-image doctor finds hazards in the image:
$(cat $found)" ;;
    *) bbfatal "ota-image doctor failed: $(cat $found)" ;;
    esac
}

# `compose` has written it with the disk image.
CONVERSION_CMD:bmap:sdimg = "test -s ${IMAGE_NAME}.sdimg.bmap"

IMAGE_CMD:mender () {
    set -- ${OTA_ARTIFACT_ARGUMENTS}
    scripts=${RECIPE_SYSROOT}${datadir}/ota/artifact-scripts
    if [ -n "${OTA_STATE_SCRIPTS}" ] && [ -d $scripts ]; then
        set -- "$@" --script $scripts
    fi
    cp ${OTA_SLOT_FILE} ${WORKDIR}/rootfs.ext4
    # An agent compares it with its own bootloader before it writes a byte.
    ota-image needs ${WORKDIR}/rootfs.ext4 > ${WORKDIR}/ota-needs.json
    ota_write_artifact rootfs-image ${OTA_ARTIFACT_NAME} ${IMGDEPLOYDIR}/${IMAGE_NAME}.mender \
        --file ${WORKDIR}/rootfs.ext4 --meta-data ${WORKDIR}/ota-needs.json "$@"
}

IMAGE_CMD:bootimg = "cp ${OTA_PARTS}/1-boot.vfat ${IMGDEPLOYDIR}/${IMAGE_NAME}.bootimg"
IMAGE_CMD:dataimg = "cp ${OTA_PARTS}/*-data.ext4 ${IMGDEPLOYDIR}/${IMAGE_NAME}.dataimg"

# ota_take NAME FOLDER ALIASES: copy a deployed file, which may have one of the other names; fails if
# there is none.
ota_take () {
    for place in ${OTA_FIRMWARE_FOLDERS}; do
        for found in $1 $3; do
            if [ -f $place/$found ]; then
                cp -L $place/$found $2/$1
                return
            fi
        done
    done
    return 1
}

# Files that a slot must have and that come from no package: mounts, the boot entry, the release's name.
ROOTFS_POSTPROCESS_COMMAND:append:ota = " ota_slot_files ota_features ota_move_data"

ota_slot_files () {
    root=${IMAGE_ROOTFS}
    rm -rf ${WORKDIR}/ota-rendered
    ota-board render ${OTA_BOARD_FOLDER} --slots ${OTA_SLOT_SIZE}B --output ${WORKDIR}/ota-rendered
    install -d $root/boot/firmware $root/data $root${sysconfdir}/ota $root${sysconfdir}/mender
    # Mender's programs, if the image has any, look there for data that outlives an update.
    if [ ! -L $root${localstatedir}/lib/mender ] && [ ! -e $root${localstatedir}/lib/mender ]; then
        install -d $root${localstatedir}/lib
        ln -s /data/mender $root${localstatedir}/lib/mender
    fi
    install -D -m 0644 ${WORKDIR}/ota-rendered/layout.json $root${datadir}/ota/layout.json
    for name in fw_env.config mender_grubenv.config; do
        if [ -f ${WORKDIR}/ota-rendered/$name ]; then
            install -m 0644 ${WORKDIR}/ota-rendered/$name $root${sysconfdir}/$name
        fi
    done
    cat ${WORKDIR}/ota-rendered/fstab >> $root${sysconfdir}/fstab
    echo "artifact_name=${OTA_ARTIFACT_NAME}" > $root${sysconfdir}/mender/artifact_info
    printf 'image=%s\nrelease=%s\nartifact=%s\nboard=%s\n' "${IMAGE_BASENAME}" "${OTA_RELEASE}" \
        "${OTA_ARTIFACT_NAME}" "${OTA_BOARD}" > $root${sysconfdir}/ota/release
    if [ -n "${OTA_SECURITY_VERSION}" ]; then
        echo "security_version=${OTA_SECURITY_VERSION}" >> $root${sysconfdir}/ota/release
    fi
    ota_check_kernel
    set -- --kernel ${OTA_KERNEL} --console ${OTA_CONSOLE} --output $root
    if [ -n "${OTA_INITRD}" ]; then
        set -- "$@" --initrd ${OTA_INITRD}
    fi
    if ${@bb.utils.contains('OTA_FEATURES', 'watchdog', 'false', 'true', d)}; then
        set -- "$@" --no-watchdog
    fi
    ota-board entry ${OTA_BOARD_FOLDER} "$@"
}

ota_check_kernel () {
    root=${IMAGE_ROOTFS}
    for path in ${OTA_KERNEL} ${OTA_INITRD}; do
        if [ ! -e $root$path ] && [ ! -L $root$path ]; then
            bbfatal "$path is not in the root filesystem, so it would not roll back with it; install kernel-image, or set OTA_KERNEL or OTA_INITRD"
        fi
    done
    for name in ${OTA_DEVICE_TREES}; do
        found=$(find $root/boot -name $name ! -path "*/dtbs/*" | head -n 1)
        if [ -z "$found" ]; then
            bbfatal "/boot of the root filesystem has no $name, which ${OTA_BOARD} needs; add it to KERNEL_DEVICETREE and install kernel-devicetree"
        fi
        install -d $root/boot/dtbs
        ln -sf ../${found#$root/boot/} $root/boot/dtbs/$name
    done
}

# Files below /data belong on the data partition, never in a slot.
ota_move_data () {
    rm -rf ${WORKDIR}/ota-data
    if [ -n "$(ls -A ${IMAGE_ROOTFS}/data)" ]; then
        mkdir -p ${WORKDIR}/ota-data
        cp -a ${IMAGE_ROOTFS}/data/. ${WORKDIR}/ota-data/
        find ${IMAGE_ROOTFS}/data -mindepth 1 -delete
    fi
}

def ota_slot_kib(d):
    """The size of a slot, as the limit of an image [KiB]."""
    size = d.getVar("OTA_SLOT_SIZE") or "nothing"
    if not size.isdecimal():
        bb.fatal("OTA_SLOT_SIZE: %s is not a number of bytes; 256 MiB are 268435456" % size)
    return int(size) // 1024

def ota_boot_folder(d):
    """The board's own files for the boot partition, if it has any."""
    folder = os.path.join(d.getVar("OTA_BOARD_FOLDER"), "boot")
    return folder if os.path.isdir(folder) else ""

def ota_firmware_recipes(d):
    """The tasks that deploy the firmware, as dependencies of a task."""
    recipes = {"u-boot": "virtual/bootloader:do_deploy", "grub": "grub-efi:do_deploy"}
    return recipes.get(d.getVar("OTA_BOOTLOADER") or "", "")

python () {
    if not d.getVar("OTA_BOARD"):
        raise bb.parse.SkipRecipe("no board: require conf/machine/include/ota-<board>.inc in"
                                  " local.conf or in the machine's configuration")
    machine = d.getVar("OTA_MACHINE")
    if machine and machine != d.getVar("MACHINE"):
        raise bb.parse.SkipRecipe("board %s is for MACHINE %s, not %s; set OTA_MACHINE for a board of your own"
                                  % (d.getVar("OTA_BOARD"), machine, d.getVar("MACHINE")))
    ota_check_login(d)
}

def ota_check_login(d):
    """Skip an image whose root has no password, unless it is to play with, or the user wants it so."""
    features = ("%s %s" % (d.getVar("IMAGE_FEATURES"), d.getVar("EXTRA_IMAGE_FEATURES"))).split()
    found = [each for each in ("empty-root-password", "debug-tweaks") if each in features]
    if not found or d.getVar("OTA_OPEN_LOGIN") == "1":
        return
    given = [each for each in ("OTA_SERVER_URLS", "OTA_SIGNING_KEY", "OTA_VERIFY_KEYS") if d.getVar(each)]
    if given or "qemuall" not in (d.getVar("MACHINEOVERRIDES") or "").split(":"):
        what = "with %s" % given[0] if given else "for a real board"
        raise bb.parse.SkipRecipe("IMAGE_FEATURES has %s: anyone could log in as root, in an image %s; take it"
                                  " out, or on a bench set OTA_OPEN_LOGIN = \"1\"" % (found[0], what))
