# SPDX-License-Identifier: Apache-2.0
# Adds to the agent's configuration, as a product does.
do_install:append () {
    printf '\n[polling]\nupdate = 3600\n' >> ${D}${sysconfdir}/ota/agent.toml
}
