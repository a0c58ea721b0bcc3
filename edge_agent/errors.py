"""What can go wrong on the roof.

::

    AgentError
    ├── ConfigError (ValueError)        the configuration cannot be used
    ├── SourceError (OSError)           images do not come
    │   ├── SourceUnavailable           no such camera, stream, file or folder
    │   └── SourceUnhealthy             they come, and are black or frozen
    ├── BrokerError (ConnectionError)   messages do not go
    │   ├── BrokerUnreachable           nobody answers: the network, or the broker is down
    │   └── BrokerRefused               it answers and says no: password, certificate
    └── MissingExtra (ImportError)      an optional dependency is not installed
"""

from __future__ import annotations


class AgentError(Exception):
    """Anything this package raises on purpose."""


class ConfigError(AgentError, ValueError):
    """A configuration that cannot be used, e.g. a misspelt key."""


class SourceError(AgentError, OSError):
    """Images do not come as they should."""


class SourceUnavailable(SourceError):
    """The source cannot be opened or has stopped, e.g. a camera was unplugged."""


class SourceUnhealthy(SourceError):
    """The source delivers images that show nothing, e.g. a camera with its lens cap on."""


class BrokerError(AgentError, ConnectionError):
    """Messages cannot be delivered."""


class BrokerUnreachable(BrokerError):
    """Nobody answers at the broker's address, e.g. a cable is out. Worth trying again."""


class BrokerRefused(BrokerError):
    """The broker, or its certificate, says no. Trying again will not help."""


class MissingExtra(AgentError, ImportError):
    """A feature whose optional dependency is absent; the message names the extra to install."""
