# SPDX-License-Identifier: Apache-2.0
# Stops a build that sets an OTA_ variable that nothing reads: with a spelling mistake it would build
# another image than the user meant. conf/ota-variables.json lists all variables.

OTA_VARIABLES_FILE = "${OTA_LAYER}/conf/ota-variables.json"

def ota_unknown_variables(d):
    """The variables that begin with OTA_ and are not in the table, sorted."""
    import json

    with open(d.getVar("OTA_VARIABLES_FILE"), encoding="utf-8") as file:
        known = json.load(file)
    found = {key.partition(":")[0] for key in d.keys() if key.startswith("OTA_")}
    return sorted(found - set(known))

python () {
    import difflib
    import json

    unknown = ota_unknown_variables(d)
    if unknown:
        with open(d.getVar("OTA_VARIABLES_FILE"), encoding="utf-8") as file:
            known = json.load(file)
        hints = [
            "%s (did you mean %s?)" % (name, ", ".join(close)) if close else name
            for name in unknown
            for close in [difflib.get_close_matches(name, known, 2)]
        ]
        bb.fatal("meta-ota has no such variable: %s; docs/reference/yocto-variables.md lists them"
                 % "; ".join(hints))
}
