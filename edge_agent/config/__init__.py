"""The configuration: one TOML file, typed, checked before anything starts."""

from edge_agent.config.load import load_config
from edge_agent.config.tables import Config

__all__ = ["Config", "load_config"]
