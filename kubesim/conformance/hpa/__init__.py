"""The HorizontalPodAutoscaler against Kubernetes' own test cases.

``judging`` reads the files; ``calculator``, ``behaviors`` and ``controller`` each know one format;
``building`` makes API objects of what a case describes.
"""

from kubesim.conformance.hpa.judging import Difference, FileVerdict, ListVerdict, judge_files

__all__ = ["Difference", "FileVerdict", "ListVerdict", "judge_files"]
