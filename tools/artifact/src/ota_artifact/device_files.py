# SPDX-License-Identifier: Apache-2.0
"""Files of a device that one tool writes and another one reads, by their paths there."""

AGENT_TOML = "/etc/ota/agent.toml"
"""The agent's configuration."""

KEYS = "/etc/ota/keys"
"""The folder of the public keys that artifacts are signed with."""

RELEASE = "/etc/ota/release"
"""Which release a root filesystem is; `ota-image` writes it."""

LAYOUT = "/usr/share/ota/layout.json"
"""The layout of the disk, as on the boot partition."""

FW_ENV_CONFIG = "/etc/fw_env.config"
"""Where libubootenv finds U-Boot's environment."""

GRUB_CONFIG = "/etc/mender_grubenv.config"
"""Where Mender's tools find GRUB's environment."""

MENDER_CONF = "/etc/mender/mender.conf"
"""The configuration of Mender's client."""

MENDER_INFO = "/etc/mender/artifact_info"
"""Which artifact a root filesystem is, for Mender's client."""
