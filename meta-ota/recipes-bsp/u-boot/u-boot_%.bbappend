# SPDX-License-Identifier: Apache-2.0
require ${@'u-boot-ota.inc' if d.getVar('OTA_BOOTLOADER') == 'u-boot' else ''}
