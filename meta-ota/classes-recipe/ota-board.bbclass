# SPDX-License-Identifier: Apache-2.0
# For recipes that are made for one board: its description, and the tool that reads it.

inherit ota-variables python3native

OTA_BOARD_FOLDER = "${OTA_BOARDS}/${OTA_BOARD}"
# Signatures depend on the files in the folder, see ota_board_files, and not on its path.
OTA_BOARD_FOLDER[vardepvalue] = "${OTA_BOARD}"

def ota_board_files(d):
    """The board's own files, for the signatures of the tasks that read them."""
    folder = d.getVar("OTA_BOARD_FOLDER")
    if not d.getVar("OTA_BOARD"):
        return ""
    names = ("board.yaml", "u-boot.cfg", "u-boot.env", "boot")
    paths = [os.path.join(folder, name) for name in names]
    if not os.path.isfile(paths[0]):
        bb.fatal("%s: no such file; OTA_BOARD names a folder of OTA_BOARDS" % paths[0])
    return " ".join("%s:%s" % (path, os.path.exists(path)) for path in paths)
