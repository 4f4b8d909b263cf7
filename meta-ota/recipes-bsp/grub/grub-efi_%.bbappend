# SPDX-License-Identifier: Apache-2.0
# Modules that the boot logic of bootloader/grub/ota.cfg.j2 needs in addition to the recipe's own.
GRUB_BUILDIN:append:ota-grub = " cat echo minicmd reboot regexp sleep terminal"
