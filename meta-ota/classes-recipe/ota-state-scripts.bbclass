# SPDX-License-Identifier: Apache-2.0
# A recipe of state scripts. Scripts for the artifact's states go into the update file of every image
# that has the recipe in OTA_STATE_SCRIPTS. Scripts for the device's states go into its package.

inherit ota-variables

OTA_SCRIPTS ??= ""

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"

INHIBIT_DEFAULT_DEPS = "1"
ALLOW_EMPTY:${PN} = "1"

do_install () {
    for name in ${OTA_SCRIPTS}; do
        case $name in
        Artifact*) ;;
        *) install -D -m 0755 ${S}/$name ${D}${sysconfdir}/ota/scripts/$name ;;
        esac
    done
}

SYSROOT_PREPROCESS_FUNCS += "ota_stage_scripts"

ota_stage_scripts () {
    for name in ${OTA_SCRIPTS}; do
        case $name in
        Artifact*) install -D -m 0755 ${S}/$name ${SYSROOT_DESTDIR}${datadir}/ota/artifact-scripts/$name ;;
        esac
    done
}

python () {
    import re

    moment = re.compile(
        r"(Idle_(Enter|Leave)|(Sync|Download|ArtifactInstall|ArtifactReboot|ArtifactCommit)"
        r"_(Enter|Leave|Error)|Artifact(Rollback|RollbackReboot|Failure)_(Enter|Leave))_\d\d(_\S+)?")
    wrong = [name for name in d.getVar("OTA_SCRIPTS").split() if not moment.fullmatch(name)]
    if wrong or not d.getVar("OTA_SCRIPTS").strip():
        bb.fatal("%s: OTA_SCRIPTS: %s; write a name like ArtifactInstall_Enter_50_stop,"
                 " see docs/howto/state-scripts.md"
                 % (d.getVar("FILE"), ", ".join(wrong) or "names no script"))
}
