"""``kubesim calibrate node``: containers really run here, and the preset that comes of it.

``oci``, ``containerd`` and ``memory`` measure, each with what Debian packages; ``fitting`` finds the
form of each spread and ``presets`` writes the preset. Recorded samples of another machine take the
same way, so that what is measured and what is shipped are made by the same hands.
"""

from kubesim.bench.calibrating.presets import preset_document, preset_text
from kubesim.bench.calibrating.samples import Samples, load_samples

__all__ = ["Samples", "load_samples", "preset_document", "preset_text"]
