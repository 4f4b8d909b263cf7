# SPDX-License-Identifier: Apache-2.0
# As a product adds to the agent's configuration.
do_install:append () {
    printf '\n[polling]\nupdate = 3600\n' >> ${D}${sysconfdir}/ota/agent.toml
}
