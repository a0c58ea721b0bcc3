"""A broker inside this process, so that the demonstration needs nothing installed.

Good for looking on; claims about delivery are tested against a real mosquitto.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.errors import BrokerUnreachable, MissingExtra

_PATIENCE_S = 15.0


class EmbeddedBroker:
    """amqtt on a free loopback port, in a thread of its own; a context manager."""

    def __init__(self) -> None:
        try:
            from amqtt.broker import Broker
        except ImportError as error:
            raise MissingExtra("the demo needs a broker: pip install 'edge-agent[demo]'") from error
        self._broker_class: Any = Broker
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._work, name="broker", daemon=True)

    def __enter__(self) -> Self:
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self._thread.start()
        if not self._ready.wait(_PATIENCE_S):
            raise BrokerUnreachable("the demo's broker did not start")
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_PATIENCE_S)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        broker = self._broker_class(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
            }
        )
        await broker.start()
        self._ready.set()
        await self._over.wait()
        await broker.shutdown()


class Plant:
    """A subscriber: what the plant's side of the broker would receive.

    Args:
        port: of the broker on this machine.
        prefix: of the station's topics.
        on_message: called with the topic's last part and the payload, in paho's thread.
    """

    def __init__(
        self, port: int, prefix: str, on_message: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._port, self._prefix = port, prefix
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="plant")
        self._client.on_connect = lambda client, *_: client.subscribe(f"{prefix}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: on_message(
            message.topic.removeprefix(f"{self._prefix}/"), json.loads(message.payload)
        )

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._subscribed.wait(_PATIENCE_S):
            raise BrokerUnreachable("the demo's broker does not answer")
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
