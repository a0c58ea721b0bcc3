"""The MQTT side: birth, last will, and messages delivered at least once.

paho runs the connection in a thread of its own and keeps unacknowledged messages in memory; after
a reconnect it sends them again. A receiver may therefore see a message twice and drops the repeat
by its id. While the broker is away, up to ``queue_limit`` messages wait; what does not fit is
counted as lost.
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.tables import Mqtt
from edge_agent.errors import BrokerRefused, BrokerUnreachable, ConfigError
from edge_agent.reporting.payload import Payload
from edge_agent.sources.make import read_secret

_QOS = 1
_IN_FLIGHT = 100
_CONNECT_TIMEOUT_S = 5.0
_GOODBYE_S = 0.5
_LOOK_S = 0.2  # between two looks at whether to go on waiting
_log = logging.getLogger(__name__)


class _Client(paho.Client):
    """paho tries again silently; this one remembers why it had to, in words."""

    reason = ""
    is_certificate = False

    def reconnect(self) -> MQTTErrorCode:
        try:
            return super().reconnect()
        except OSError as error:
            # Only words are kept: the error itself would keep the failed socket open.
            self.is_certificate = isinstance(error, ssl.SSLCertVerificationError)
            self.reason = getattr(error, "verify_message", "") or error.strerror or str(error)
            raise


class MqttPublisher:
    """A connection to the broker; a context manager.

    Entering starts to connect and returns at once; leaving says goodbye. Safe to use from any
    thread.

    Args:
        settings: the [mqtt] table.
        client_id: identifies this connection to the broker; two of the same name throw each other
            out.
        offline: makes the payload of the last will and of the goodbye; None for a visitor that
            leaves no trace.
        on_online: called, in paho's thread, after every connect: publish the birth there.
        on_command: called, in paho's thread, with what arrives on ``command``.

    Attributes:
        lost: messages that did not fit into memory while the broker was away.
        problem: a sentence while there is no connection; None while there is.
    """

    def __init__(
        self,
        settings: Mqtt,
        client_id: str,
        offline: Callable[[], Payload] | None = None,
        on_online: Callable[[], None] = lambda: None,
        on_command: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._settings, self._offline = settings, offline
        self._on_online, self._on_command = on_online, on_command
        self._address = f"{settings.host}:{self._port}"
        self._answered = threading.Event()
        self._refusal: str | None = None
        self._changed = threading.Condition()
        self._waiting: set[int] = set()
        self._early: set[int] = set()
        self.lost = 0
        self.problem: str | None = f"not yet connected to the broker {self._address}"
        self._client = self._make_client(client_id)

    @property
    def _port(self) -> int:
        return self._settings.port or (8883 if self._settings.tls else 1883)

    def _make_client(self, client_id: str) -> _Client:
        settings = self._settings
        client = _Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        if settings.user is not None:
            secret = read_secret(settings.password_file) if settings.password_file else None
            client.username_pw_set(settings.user, secret)
        if settings.tls:
            client.tls_set_context(_tls_context(settings))
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.max_queued_messages_set(settings.queue_limit)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.connect_timeout = _CONNECT_TIMEOUT_S
        if self._offline is not None:
            will = _encode(self._offline())
            client.will_set(self.topic("status"), will, qos=_QOS, retain=True)
        client.on_connect = self._connected
        client.on_connect_fail = self._connect_failed
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        client.on_publish = self._published
        return client

    def topic(self, name: str) -> str:
        """The full topic of one of our names, e.g. "inspection"."""
        return f"{self._settings.prefix}/{name}"

    def __enter__(self) -> Self:
        self._client.connect_async(self._settings.host, self._port, self._settings.keepalive_s)
        self._client.loop_start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._offline is not None and self._client.is_connected():
            self.publish("status", self._offline(), retain=True)
            self.drain(_GOODBYE_S)
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for_answer(self, timeout_s: float) -> None:
        """Wait until the broker has said yes.

        Raises:
            BrokerRefused: it said no, or its certificate is not one that we trust.
            BrokerUnreachable: nobody answered in time.
        """
        self._answered.wait(timeout_s)
        if self._client.is_connected():
            return
        if self._refusal is not None:
            raise BrokerRefused(self._refusal)
        raise BrokerUnreachable(
            self.problem or f"the broker {self._address} does not answer: check host and port"
        )

    def publish(self, name: str, payload: Payload, *, retain: bool = False) -> None:
        """Queue a message; never waits for the network."""
        info = self._client.publish(self.topic(name), _encode(payload), _QOS, retain)
        with self._changed:
            if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                self.lost += 1
            elif info.mid in self._early:
                self._early.discard(info.mid)
            else:
                self._waiting.add(info.mid)

    def drain(self, timeout_s: float, given_up: Callable[[], bool] = lambda: False) -> int:
        """Wait until everything is acknowledged, the time is over or the wait is given up.

        Args:
            timeout_s: at most.
            given_up: asked a few times a second.

        Returns:
            How many messages the broker has not acknowledged.
        """
        end_s = time.monotonic() + timeout_s
        with self._changed:
            while self._waiting and not given_up() and (left_s := end_s - time.monotonic()) > 0:
                self._changed.wait(min(left_s, _LOOK_S))
            return len(self._waiting)

    def _connected(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = (
                f"the broker {self._address} refuses the connection ({reason}): check [mqtt] user"
                " and password_file"
            )
            self._say(self._refusal)
            self._answered.set()
            return
        self._refusal = None
        self.problem = None
        _log.info("connected to the broker %s", self._address)
        client.subscribe(self.topic("command"), qos=_QOS)
        self._on_online()
        self._answered.set()

    def _connect_failed(self, client: paho.Client, userdata: Any) -> None:
        reason = self._client.reason
        if self._client.is_certificate:
            self._refusal = (
                f"the certificate of the broker {self._address} is not accepted ({reason}): check"
                " [mqtt] ca_file and host"
            )
            self._say(self._refusal)
            self._answered.set()
            return
        self._say(
            f"the broker {self._address} cannot be reached ({reason}): check [mqtt] host, port"
            " and tls, and that it runs"
        )
        self._answered.set()

    def _disconnected(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure and self._refusal is None:
            self._say(f"the connection to the broker {self._address} is lost ({reason})")

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            # A visitor's problem is raised to whoever sent it.
            _log.log(logging.DEBUG if self._offline is None else logging.WARNING, "%s", problem)
        self.problem = problem

    def _message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        self._on_command(bytes(message.payload))

    def _published(
        self,
        client: paho.Client,
        userdata: Any,
        message_id: int,
        reason: ReasonCode,
        properties: Properties,
    ) -> None:
        # The acknowledgement can overtake the return of publish(), which runs in another thread.
        with self._changed:
            if message_id in self._waiting:
                self._waiting.discard(message_id)
            else:
                self._early.add(message_id)
            self._changed.notify_all()


def _encode(payload: Payload) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _tls_context(settings: Mqtt) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        files = [settings.ca_file, settings.certificate_file, settings.key_file]
        named = ", ".join(str(f) for f in files if f)
        raise ConfigError(f"[mqtt] certificates cannot be loaded from {named}: {error}") from error
    return context


def check_broker(settings: Mqtt, client_id: str, timeout_s: float = 8.0) -> None:
    """Connect once, as a visitor, and leave again.

    Raises:
        BrokerError: with a sentence that says what to do.
    """
    with MqttPublisher(settings, client_id) as visitor:
        visitor.wait_for_answer(timeout_s)
