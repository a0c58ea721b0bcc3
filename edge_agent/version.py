"""The version of this software."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("edge-agent")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+unknown"
