"""The simulated line: a camera over a conveyor, without the camera and without the conveyor.

It draws machined caps that pass on a belt, some of them defective, and knows the truth about each:
for the demo, for tests, and for trying settings before a camera is there.
"""

from edge_agent.simulator.defects import DEFECTS
from edge_agent.simulator.scene import Scene
from edge_agent.simulator.settings import SimulatorSettings
from edge_agent.simulator.source import SimulatedLine

__all__ = ["DEFECTS", "Scene", "SimulatedLine", "SimulatorSettings"]
