# SPDX-License-Identifier: Apache-2.0
# What the boot logic of bootloader/grub/ota.cfg.j2 uses beyond GRUB's own choice.
GRUB_BUILDIN:append:ota-grub = " cat echo minicmd reboot regexp sleep terminal"
