# SPDX-License-Identifier: Apache-2.0
# A recipe that inherits this deploys an update file for an update module, without an image. Its
# do_compile makes OTA_MODULE_FILES in ${B}. Two functions do that for modules of the kit:
#
#   ota_single_file FILE FOLDER MODE    for single-file, which puts one file into a folder
#   ota_directory TREE FOLDER           for directory, which replaces a folder by TREE

inherit deploy nopackages ota-artifact

OTA_MODULE ??= ""
OTA_MODULE_FILES ??= ""
OTA_MODULE_META_DATA ??= ""
OTA_MODULE_ARTIFACT_NAME ??= "${PN}-${PV}"
OTA_MODULE_ARGUMENTS ??= ""

INHIBIT_DEFAULT_DEPS = "1"
DEPENDS += "python3-ota-artifact-native"

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"
B = "${WORKDIR}/payload"

PACKAGE_ARCH = "${MACHINE_ARCH}"

do_install[noexec] = "1"
do_compile[cleandirs] += "${B}"

ota_single_file () {
    cp $1 ${B}/
    basename $1 > ${B}/filename
    echo $2 > ${B}/dest_dir
    echo $3 > ${B}/permissions
}

ota_directory () {
    echo $2 > ${B}/dest_dir
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@${SOURCE_DATE_EPOCH} \
        -C $1 -cf ${B}/update.tar .
}

do_deploy[file-checksums] += "${OTA_KEY_CHECKSUM}"
do_deploy () {
    set -- --type ${OTA_MODULE}
    for name in ${OTA_MODULE_FILES}; do
        if [ ! -f ${B}/$name ]; then
            bbfatal "${B}/$name: not found; do_compile must make each file of OTA_MODULE_FILES"
        fi
        set -- "$@" --file ${B}/$name
    done
    if [ -n "${OTA_MODULE_META_DATA}" ]; then
        set -- "$@" --meta-data ${OTA_MODULE_META_DATA}
    fi
    ota_write_artifact module-image ${OTA_MODULE_ARTIFACT_NAME} \
        ${DEPLOYDIR}/${OTA_MODULE_ARTIFACT_NAME}.mender "$@" ${OTA_MODULE_ARGUMENTS}
}
addtask deploy after do_compile before do_build

python () {
    if not d.getVar("OTA_DEVICE_TYPES"):
        raise bb.parse.SkipRecipe("no board: require conf/machine/include/ota-<board>.inc, or set"
                                  " OTA_DEVICE_TYPES")
    if not d.getVar("OTA_MODULE"):
        bb.fatal("%s: does not name an update module; set OTA_MODULE" % d.getVar("FILE"))
}
