"""What normal means: teaching on good parts, judging the others.

from calibration import Detector
inspection = Detector.load("bottle.model").inspect(image)
inspection.verdict, inspection.score, inspection.regions
"""

from calibration.detector import Detector, Inspection, Region, Verdict

__all__ = ["Detector", "Inspection", "Region", "Verdict"]
