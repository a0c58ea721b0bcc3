"""A real mosquitto as a child process, and a subscriber of the test's own."""

from __future__ import annotations

import getpass
import json
import socket
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
import trustme
from paho.mqtt.enums import CallbackAPIVersion

from tests.real_parts import require

USER, PASSWORD = "station", "s3cret word"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker with TLS, a password and persistence on a loopback port."""

    def __init__(self, folder: Path) -> None:
        self._program = require("mosquitto", "the broker that messages are delivered to")
        tool = require("mosquitto_passwd", "makes the broker's password file")
        self.port = free_port()
        self.folder = folder
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        issued.private_key_pem.write_to_path(str(folder / "server.key"))
        issued.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
        passwords = folder / "passwords"
        subprocess.run([tool, "-b", "-c", str(passwords), USER, PASSWORD], check=True)
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user {getpass.getuser()}\nlistener {self.port} 127.0.0.1\n"
            f"cafile {self.ca_file}\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
            f"allow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {folder}/\n"
            "autosave_interval 1\nautosave_on_changes true\n"
            "max_inflight_messages 0\nmax_queued_messages 0\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "mosquitto.log").open("ab")
        command = [self._program, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        tries = threading.Event()
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            tries.wait(0.02)  # until the port answers; nothing else says when it does
        raise RuntimeError((self.folder / "mosquitto.log").read_text())

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()


class Subscriber:
    """Receives everything below a prefix, by itself: an independent witness."""

    def __init__(self, broker: Mosquitto, prefix: str, client_id: str = "witness") -> None:
        self._broker, self._prefix = broker, prefix
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self.messages: list[tuple[str, bool, dict[str, Any]]] = []
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False
        )
        self._client.username_pw_set(USER, PASSWORD)
        self._client.tls_set(ca_certs=str(broker.ca_file))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._received

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe(f"{self._prefix}/#", qos=1)

    def _received(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        name = message.topic.removeprefix(f"{self._prefix}/")
        with self._changed:
            self.messages.append((name, message.retain, json.loads(message.payload)))
            self._changed.notify_all()

    def of(self, name: str) -> list[dict[str, Any]]:
        with self._changed:
            return [payload for topic, _, payload in self.messages if topic == name]

    def wait_for(self, name: str, count: int, timeout_s: float = 60) -> list[dict[str, Any]]:
        with self._changed:
            self._changed.wait_for(
                lambda: sum(topic == name for topic, _, _ in self.messages) >= count, timeout_s
            )
        return self.of(name)

    def wait_for_status(self, state: str, timeout_s: float = 60) -> dict[str, Any]:
        def last() -> dict[str, Any] | None:
            all_of_them = [p for topic, _, p in self.messages if topic == "status"]
            return all_of_them[-1] if all_of_them else None

        with self._changed:
            self._changed.wait_for(lambda: (last() or {}).get("state") == state, timeout_s)
            status = last()
        assert status is not None
        assert status["state"] == state
        return status

    def publish(self, name: str, payload: object) -> None:
        self._client.publish(f"{self._prefix}/{name}", json.dumps(payload), qos=1)

    def __enter__(self) -> Self:
        self._client.connect("localhost", self._broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(20)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
