from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.configuration import Edge, EncoderKind, RejectConfiguration
from firmware_bridge.errors import ConfigurationError
from firmware_bridge.events import LatePolicy, SafeAction
from firmware_bridge.virtual.stored import read_configuration, refusal_of

GOOD = RejectConfiguration(delay_ms=400)


def problem(**values: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        dataclasses.replace(GOOD, **values).check()
    return str(caught.value)


def test_the_defaults_are_good_with_a_delay():
    GOOD.check()
    assert GOOD.decision_time_ms == 400 - 5 - 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"delay_ms": None}, ["exactly one of delay_ms and distance_counts"]),
        ({"distance_counts": 5}, ["exactly one of"]),
        (
            {"delay_ms": 90, "worst_case_verdict_ms": 80},
            ["delay_ms = 90", "leaves 83 ms", "may take 80 ms"],
        ),
        ({"pulse_ms": 40, "part_spacing_ms": 33.0}, ["pulse_ms = 40", "gap of 33 ms"]),
        ({"pulse_ms": 600}, ["pulse_ms = 600", "maximum_on_ms = 500"]),
        ({"strobe_ms": 3}, ["strobe ends 3.05 ms", "dead_time_ms = 2"]),
        ({"minimum_gap_ms": 1}, ["minimum_gap_ms = 1 is outside 2 .. 1000"]),
        ({"heartbeat_ms": 20}, ["heartbeat_ms = 20 is outside 50 .. 60000"]),
        ({"reject_limit": 300}, ["reject_limit = 300 is outside 0 .. 255"]),
        ({"delay_ms": None, "distance_counts": 3000}, ["needs an encoder", "maximum_counts_per_s"]),
        (
            {
                "delay_ms": None,
                "distance_counts": 1000,
                "encoder": EncoderKind.SINGLE,
                "maximum_counts_per_s": 10_000,
            },
            ["distance_counts = 1000 at 10000 counts/s, 100 ms"],
        ),
    ],
)
def test_what_cannot_work_is_refused_with_the_values(values, words):
    message = problem(**values)
    for word in words:
        assert word in message


def test_all_problems_are_named_at_once():
    message = problem(pulse_ms=600, heartbeat_ms=1)
    assert "pulse_ms" in message
    assert "heartbeat_ms" in message


configurations = st.builds(
    RejectConfiguration,
    delay_ms=st.integers(200_000, 30_000_000).map(lambda us: us / 1000),
    pulse_ms=st.integers(1_000, 400_000).map(lambda us: us / 1000),
    lead_ms=st.integers(0, 20_000).map(lambda us: us / 1000),
    minimum_gap_ms=st.integers(2_000, 50_000).map(lambda us: us / 1000),
    dead_time_ms=st.integers(1_000, 100_000).map(lambda us: us / 1000),
    heartbeat_ms=st.integers(50, 60_000),
    late_policy=st.sampled_from(LatePolicy),
    safe_action=st.sampled_from(SafeAction),
    encoder=st.sampled_from(EncoderKind),
    trigger_edge=st.sampled_from(Edge),
    confirmation_edge=st.sampled_from(Edge),
    gate_active_low=st.booleans(),
    strobe_active_low=st.booleans(),
    encoder_reversed=st.booleans(),
)


@given(configurations)
def test_what_the_host_accepts_the_mcu_accepts_and_reads_the_same(configuration):
    message = configuration.to_message()
    assert refusal_of(message) is None
    read = read_configuration(message)
    assert read.to_message() == message
    host_only = {
        name: getattr(configuration, name)
        for name in ("worst_case_verdict_ms", "part_spacing_ms", "maximum_counts_per_s")
    }
    assert dataclasses.replace(read, **host_only) == configuration
