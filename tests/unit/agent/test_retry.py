# SPDX-License-Identifier: Apache-2.0
"""What a server says of when to come back is believed as far as it makes sense."""

import email.utils

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_agent.retry import LONGEST, doubled, retry_after, spread

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("007", 7.0),
        ("9" * 5000, LONGEST),
        (email.utils.formatdate(NOW + 40, usegmt=True), 40.0),
        (email.utils.formatdate(NOW + 40), 40.0),
        (email.utils.formatdate(NOW - 40, usegmt=True), 0.0),
        (email.utils.formatdate(NOW + 1e8, usegmt=True), LONGEST),
    ],
)
def test_seconds_and_dates_are_understood_up_to_a_day(header: str, seconds: float) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "soon",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "٣",  # a digit, but not one of HTTP's
        "²",
        "120, 120",
        "Mon, 01 Jan 2020 00:00:00 +9999999999999",
        "Mon, 01 Jan 99999999 00:00:00 GMT",
        "Mon, 99 Jan 2020 00:00:00 GMT",
        "Mon, 01 Jan 2020 00:00:00" + " " * 1_000_000 + "GMT",
    ],
)
def test_what_is_neither_is_as_if_it_were_not_there(header: str | None) -> None:
    assert retry_after(header, NOW) is None


_NUMBER = st.integers().map(str)
_DATE = st.builds(
    lambda day, month, year, hour, zone: f"Mon, {day} {month} {year} {hour}:00:00 {zone}",
    _NUMBER,
    st.sampled_from(["Jan", "Feb", "Foo", ""]),
    _NUMBER,
    _NUMBER,
    st.one_of(st.sampled_from(["GMT", "-0000", "EST", ""]), _NUMBER.map(lambda each: f"+{each}")),
)


@settings(max_examples=500)
@given(
    st.one_of(
        st.text(),
        st.binary().map(lambda each: each.decode("latin-1")),  # as http.client reads headers
        _NUMBER,
        _DATE,
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_no_text_raises_or_has_us_wait_for_ever(header: str, now: float) -> None:
    found = retry_after(header, now)

    assert found is None or 0 <= found <= LONGEST


def test_delays_double_up_to_the_longest() -> None:
    found = [doubled(2.0, 10.0, failures) for failures in (1, 2, 3, 4, 5, 10_000)]

    assert found == [2, 4, 8, 10, 10, 10]


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 75.0), (0.5, 100.0), (1.0, 125.0)])
def test_a_delay_differs_between_devices(chance: float, delay: float) -> None:
    assert spread(100.0, share=0.25, chance=chance) == delay


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 110.0), (1.0, 137.5)])
def test_no_device_comes_before_the_server_wants_it(chance: float, delay: float) -> None:
    assert spread(100.0, share=0.25, chance=chance, asked=110.0) == delay
