# SPDX-License-Identifier: Apache-2.0
"""The agent's configuration file of an image."""

from ota_image.rootfs.configuration import explained

DEFAULT = """\
# The agent's configuration.

[server]
# Its addresses.
#urls = []

# In seconds.
#timeout = 60

[tls]
# Seconds, too.
#timeout = 5
"""


def test_what_is_set_stands_where_it_is_explained() -> None:
    own = '[server]\nurls = ["https://ota.example.org"]\n\n[tls]\ntimeout = 6\n'

    text = explained(own, DEFAULT)

    wanted = DEFAULT.replace("#urls = []", 'urls = ["https://ota.example.org"]')
    assert text == wanted.replace("#timeout = 5", "timeout = 6")


def test_what_is_not_set_is_the_default() -> None:
    assert explained("", DEFAULT) == DEFAULT


def test_a_key_that_is_explained_nowhere_is_not_lost() -> None:
    own = '[server]\nurls = []\nproxy = "x"\n'

    assert explained(own, DEFAULT) == own
