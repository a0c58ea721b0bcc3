"""The publisher against a real mosquitto with TLS and a password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme

from edge_agent.config.tables import Mqtt
from edge_agent.errors import BrokerRefused, BrokerUnreachable, ConfigError
from edge_agent.reporting.mqtt import MqttPublisher, check_broker
from tests.mosquitto import PASSWORD, USER, Mosquitto, Subscriber, free_port

pytestmark = pytest.mark.real
PREFIX = "plant/line2/cam1"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def settings(broker: Mosquitto) -> Mqtt:
    password = broker.folder / "password"
    password.write_text(PASSWORD + "\n")
    return Mqtt(
        host="localhost",
        port=broker.port,
        prefix=PREFIX,
        user=USER,
        password_file=password,
        tls=True,
        ca_file=broker.ca_file,
    )


def _publisher(settings: Mqtt, **callbacks: object) -> MqttPublisher:
    return MqttPublisher(settings, "agent", offline=lambda: {"state": "offline"}, **callbacks)  # type: ignore[arg-type]


def test_messages_arrive_once_each_and_goodbye_is_retained(
    broker: Mosquitto, settings: Mqtt
) -> None:
    with Subscriber(broker, PREFIX) as witness:
        with _publisher(settings) as publisher:
            publisher.wait_for_answer(20)
            for number in range(300):
                publisher.publish("inspection", {"number": number})
            assert publisher.drain(20) == 0
        received = witness.wait_for("inspection", 300)
        assert [m["number"] for m in received] == list(range(300))
        witness.wait_for_status("offline")
    with Subscriber(broker, PREFIX, "late") as late:
        late.wait_for_status("offline")
        assert late.messages == [("status", True, {"state": "offline"})]


def test_what_is_published_while_the_broker_is_down_arrives_later(
    broker: Mosquitto, settings: Mqtt
) -> None:
    births = threading.Semaphore(0)
    with _publisher(settings, on_online=births.release) as publisher:
        publisher.wait_for_answer(20)
        assert births.acquire(timeout=20)
        broker.kill()
        for number in range(50):
            publisher.publish("inspection", {"number": number})
        broker.start()
        with Subscriber(broker, PREFIX) as witness:
            assert births.acquire(timeout=30)
            assert publisher.drain(20) == 0
            received = witness.wait_for("inspection", 50)
    assert sorted({m["number"] for m in received}) == list(range(50))
    assert publisher.lost == 0


def test_beyond_the_limit_messages_are_counted_as_lost(broker: Mosquitto, settings: Mqtt) -> None:
    with _publisher(msgspec.structs.replace(settings, queue_limit=10)) as publisher:
        publisher.wait_for_answer(20)
        broker.kill()
        for number in range(200):
            publisher.publish("inspection", {"number": number})
        assert publisher.lost > 0
        assert publisher.drain(0) + publisher.lost == 200
        assert publisher.drain(1e6, given_up=lambda: True) + publisher.lost == 200


def test_the_last_will_speaks_for_an_agent_that_vanishes(broker: Mosquitto, settings: Mqtt) -> None:
    with Subscriber(broker, PREFIX) as witness, _publisher(settings) as publisher:
        publisher.wait_for_answer(20)
        connection = publisher._client.socket()
        assert connection is not None
        connection.shutdown(socket.SHUT_RDWR)  # as if the cable had been cut
        witness.wait_for_status("offline")


def test_commands_arrive(broker: Mosquitto, settings: Mqtt) -> None:
    heard: list[bytes] = []
    arrived = threading.Event()

    def hear(message: bytes) -> None:
        heard.append(message)
        arrived.set()

    with Subscriber(broker, PREFIX) as witness, _publisher(settings, on_command=hear) as publisher:
        publisher.wait_for_answer(20)
        for _ in range(40):  # the first may come before the agent has subscribed
            witness.publish("command", {"command": "status"})
            if arrived.wait(0.5):
                break
    assert heard[0] == b'{"command": "status"}'


def test_a_wrong_password_is_refused_with_a_sentence(settings: Mqtt) -> None:
    assert settings.password_file is not None
    settings.password_file.write_text("wrong\n")
    with pytest.raises(BrokerRefused, match=r"refuses the connection .*\[mqtt\] user"):
        check_broker(settings, "check")


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_an_unknown_certificate_is_refused_with_a_sentence(settings: Mqtt, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with pytest.raises(BrokerRefused, match=r"certificate .* is not accepted .*\[mqtt\] ca_file"):
        check_broker(msgspec.structs.replace(settings, ca_file=other), "check")


def test_a_certificate_for_another_name_is_refused(settings: Mqtt) -> None:
    elsewhere = msgspec.structs.replace(settings, host="127.0.0.2")
    with pytest.raises((BrokerRefused, BrokerUnreachable)):
        check_broker(elsewhere, "check")


def test_nobody_at_the_address(caplog: pytest.LogCaptureFixture) -> None:
    nobody = Mqtt(host="127.0.0.1", port=free_port(), prefix="p")
    with pytest.raises(BrokerUnreachable, match=r"cannot be reached .*check \[mqtt\] host"):
        check_broker(nobody, "check")
    assert not caplog.records, "said once, by the error"


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(BrokerUnreachable, match="cannot be reached"):
        check_broker(Mqtt(host="no-such-host.invalid", prefix="p"), "check")


def test_plain_text_to_a_broker_that_wants_tls(settings: Mqtt) -> None:
    plain = msgspec.structs.replace(settings, tls=False, ca_file=None)
    with pytest.raises(BrokerUnreachable):
        check_broker(plain, "check", timeout_s=3)


def test_files_that_are_missing() -> None:
    with pytest.raises(ConfigError, match=r"cannot be loaded from /absent/ca\.pem"):
        MqttPublisher(Mqtt(host="h", prefix="p", tls=True, ca_file=Path("/absent/ca.pem")), "a")
    with pytest.raises(ConfigError, match="cannot read the secret in /absent/password"):
        MqttPublisher(
            Mqtt(host="h", prefix="p", user="u", password_file=Path("/absent/password")), "a"
        )
